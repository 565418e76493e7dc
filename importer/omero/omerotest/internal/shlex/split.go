package shlex

import (
	"errors"
	"strings"
)

// What Python's ValueError says.
var (
	errQuote  = errors.New("No closing quotation") //nolint:staticcheck // Python's words
	errEscape = errors.New("No escaped character") //nolint:staticcheck // Python's words
)

// Split splits a line into words. Quotes may stand within a word. A backslash
// quotes the next character; within double quotes only another backslash or the
// double quote; within single quotes nothing.
func Split(line string) ([]string, error) {
	var (
		words []string
		b     strings.Builder
		in    bool // within a word, which may be empty yet
	)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\r', '\n':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		case '\'':
			n := strings.IndexByte(line[i+1:], '\'')
			if n < 0 {
				return nil, errQuote
			}
			b.WriteString(line[i+1 : i+1+n])
			i += n + 1
			in = true
		case '"':
			n, err := double(line[i+1:], &b)
			if err != nil {
				return nil, err
			}
			i += n + 1
			in = true
		case '\\':
			i++
			if i == len(line) {
				return nil, errEscape
			}
			b.WriteByte(line[i])
			in = true
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, b.String())
	}
	return words, nil
}

// double writes what is within double quotes, and returns where they end.
func double(rest string, b *strings.Builder) (int, error) {
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '"':
			return i, nil
		case '\\':
			i++
			if i == len(rest) {
				return 0, errEscape
			}
			if rest[i] != '\\' && rest[i] != '"' {
				b.WriteByte('\\')
			}
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return 0, errQuote
}
