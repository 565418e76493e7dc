package hql

import "strconv"

// What a pattern holds in place of values.
const (
	aText   = "$text"
	aNumber = "$number"
	numbers = "$numbers" // one or more, between commas
)

// pattern is a query with places for values.
type pattern []string

func newPattern(query string) pattern {
	var p pattern
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == ' ' || c == '\n' || c == '\t':
			i++
		case c == '$' || isName(c):
			n := 1
			for i+n < len(query) && (isName(query[i+n]) || isDigit(query[i+n]) || query[i+n] == '.') {
				n++
			}
			p = append(p, query[i:i+n])
			i += n
		default:
			p = append(p, string(c))
			i++
		}
	}
	return p
}

// values are what a query has in the places of its pattern, in their order.
type values struct {
	texts   []string
	ids     []int64
	numbers map[int64]bool
}

// match reads the values of a query that has the form of the pattern.
func (p pattern) match(query []token) (values, bool) {
	var v values
	at := 0
	for _, want := range p {
		if at >= len(query) {
			return v, false
		}
		have := query[at]
		at++
		switch {
		case want == aText:
			if have.kind != text {
				return v, false
			}
			v.texts = append(v.texts, have.value)
		case want == aNumber:
			id, err := strconv.ParseInt(have.value, 10, 64)
			if have.kind != number || err != nil {
				return v, false
			}
			v.ids = append(v.ids, id)
		case want == numbers:
			v.numbers = map[int64]bool{}
			for {
				id, err := strconv.ParseInt(have.value, 10, 64)
				if have.kind != number || err != nil {
					return v, false
				}
				v.numbers[id] = true
				if at >= len(query) || query[at].value != "," {
					break
				}
				if at+1 >= len(query) {
					return v, false
				}
				have = query[at+1]
				at += 2
			}
		case have.kind != word || have.value != want:
			return v, false
		}
	}
	return v, at == len(query)
}
