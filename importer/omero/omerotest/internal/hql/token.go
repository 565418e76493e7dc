package hql

import (
	"fmt"
	"strings"
)

type kind int

const (
	word   kind = iota // names, keywords, paths and operators
	text               // 'a literal'
	number             // 7
)

type token struct {
	kind  kind
	value string // a literal without its quotes
}

// tokens splits a query. Quotes inside of a literal are doubled.
func tokens(query string) ([]token, error) {
	var all []token
	for i := 0; i < len(query); {
		c := query[i]
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '\'':
			value, n, err := literal(query[i:])
			if err != nil {
				return nil, err
			}
			all = append(all, token{text, value})
			i += n
		case isDigit(c) || c == '-' && i+1 < len(query) && isDigit(query[i+1]):
			n := 1
			for i+n < len(query) && isDigit(query[i+n]) {
				n++
			}
			all = append(all, token{number, query[i : i+n]})
			i += n
		case isName(c):
			n := 1
			for i+n < len(query) && (isName(query[i+n]) || isDigit(query[i+n]) || query[i+n] == '.') {
				n++
			}
			all = append(all, token{word, query[i : i+n]})
			i += n
		case strings.IndexByte("=,()<>", c) >= 0:
			all = append(all, token{word, string(c)})
			i++
		default:
			return nil, fmt.Errorf("unexpected char: %q", c)
		}
	}
	return all, nil
}

func literal(s string) (value string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("expecting ''', found '<EOF>' near %s", s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
