package order

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expectedMark stands between a fault's sentence and what would be right.
const expectedMark = " Expected "

// source names a text that is being decoded, for the place in its errors.
type source string

// fault is an Invalid error at a line and column, both counted from 1. What
// would be right follows after expectedMark, where Rejection looks for it;
// expected may be empty.
func (s source) fault(line, column int, sentence, expected string) *Error {
	reason := fmt.Sprintf("%s:%d:%d: %s", s.base(), max(line, 1), max(column, 1), sentence)
	if !strings.HasSuffix(reason, "?") {
		reason += "."
	}
	if expected != "" {
		reason += expectedMark + expected + "."
	}
	return &Error{Class: Invalid, Reason: reason}
}

// base is the file's own name, made fit for one line of text.
func (s source) base() string {
	name := filepath.Base(string(s))
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return strconv.Quote(name)
	}
	return name
}

// quote shows a value in a sentence, cut to a length that people read.
func quote(s string) string {
	const most = 60
	runes := 0
	for i := range s {
		if runes == most {
			return strconv.Quote(s[:i]) + "…"
		}
		runes++
	}
	return strconv.Quote(s)
}

// list names the alternatives of a choice.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
