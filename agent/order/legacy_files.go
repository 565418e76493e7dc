package order

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// splitFiles understands the lists of legacy order files: JSON, a Python list,
// a bare list in brackets, or one bare path. It returns what is wrong, if
// anything, as the end of a sentence.
func splitFiles(value string) (files []string, wrong string) {
	inner, open := strings.CutPrefix(value, "[")
	if !open {
		return []string{value}, ""
	}
	inner, closed := strings.CutSuffix(inner, "]")
	if !closed {
		return nil, "are a list without its end"
	}
	inner = strings.TrimSpace(inner)
	switch {
	case inner == "":
		return nil, ""
	case inner[0] == '\'' || inner[0] == '"':
		s := pathScanner{rest: value}
		if files, wrong := s.texts(); wrong == "" {
			return files, ""
		}
		return splitPython(inner)
	}
	return splitBare(inner)
}

// texts returns the list, or what is wrong with it.
func (s *pathScanner) texts() (texts []string, wrong string) {
	wrong = s.list(func(text string) error {
		texts = append(texts, text)
		return nil
	})
	return texts, wrong
}

// tooMany says that a list is longer than an order may be.
func tooMany() string { return fmt.Sprintf("are more than %d", maxPaths) }

// splitBare divides at commas. Where the first path is absolute, so are the
// others, and a comma before anything but a slash belongs to a name.
func splitBare(inner string) (files []string, wrong string) {
	absolute := inner[0] == '/'
	for from, at := 0, 0; at <= len(inner); at++ {
		if at < len(inner) && (inner[at] != ',' || absolute && !strings.HasPrefix(strings.TrimLeft(inner[at+1:], " \t"), "/")) {
			continue
		}
		if files = append(files, strings.TrimSpace(inner[from:at])); len(files) > maxPaths {
			return nil, tooMany()
		}
		from = at + 1
	}
	return files, ""
}

// splitPython reads the items of a list as Python's repr writes it.
func splitPython(inner string) (files []string, wrong string) {
	const notList = "are neither JSON nor a Python list"
	for {
		text, rest, ok := pythonText(inner)
		if !ok {
			return nil, notList
		}
		if files = append(files, text); len(files) > maxPaths {
			return nil, tooMany()
		}
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return files, ""
		}
		rest, ok = strings.CutPrefix(rest, ",")
		inner = strings.TrimSpace(rest)
		switch {
		case !ok:
			return nil, notList
		case inner == "":
			return files, "" // Python allows a comma at the end
		}
	}
}

// pythonText reads one string literal in either quotes.
func pythonText(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", "", false
	}
	delimiter := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == delimiter:
			return b.String(), s[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		default:
			n := pythonEscape(&b, s[i+1:])
			if n == 0 {
				return "", "", false
			}
			i += n
		}
	}
	return "", "", false
}

// pythonEscape reads what follows a backslash and returns its length; 0 is an
// escape that makes no character. As in Python, a backslash before any other
// character is itself.
func pythonEscape(b *strings.Builder, s string) int {
	if s == "" {
		return 0
	}
	if at := strings.IndexByte(`\'"nrt`, s[0]); at >= 0 {
		b.WriteByte("\\'\"\n\r\t"[at])
		return 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if digits == 0 {
		b.WriteByte('\\')
		b.WriteByte(s[0])
		return 1
	}
	if len(s) <= digits {
		return 0
	}
	n, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	switch r := rune(n); { //nolint:gosec // utf8.ValidRune judges what overflows
	case err != nil:
		return 0
	case n >= 0xdc80 && n <= 0xdcff:
		b.WriteByte(byte(n - 0xdc00)) // a byte that was no UTF-8, as in EncodePaths
	case !utf8.ValidRune(r):
		return 0
	default:
		b.WriteRune(r)
	}
	return 1 + digits
}
