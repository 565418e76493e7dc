package order

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxPathsBytes bounds the files column of one row.
const maxPathsBytes = 16 << 20

// maxPaths bounds the files of one order: each costs kilobytes while it is
// carried out.
const maxPaths = 100_000

// EncodePaths writes paths as the files column holds them: a JSON list in
// ASCII, as Python's json.dumps writes it. Bytes that are no UTF-8 become the
// lone surrogates U+DC80 to U+DCFF, as Python decodes file names (PEP 383).
func EncodePaths(paths []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, p := range paths {
		if i > 0 {
			b.WriteString(", ")
		}
		quoteASCII(&b, p)
	}
	b.WriteByte(']')
	return b.String()
}

// DividePaths cuts a list of paths into parts of half the size that CheckPaths
// allows, so that each can be an order. It keeps their order.
func DividePaths(paths []string) (parts [][]string) {
	from, size := 0, 0
	for i, p := range paths {
		n := len(EncodePaths([]string{p}))
		if i > from && (size+n > maxPathsBytes/2 || i-from == maxPaths/2) {
			parts = append(parts, paths[from:i])
			from, size = i, 0
		}
		size += n
	}
	return append(parts, paths[from:])
}

// CheckPaths refuses more paths than DecodePaths takes; the error is Invalid.
func CheckPaths(paths []string) error {
	if len(paths) > maxPaths {
		return Errorf(Invalid, "The order has %d files, more than %d: divide it, or name folders instead.", len(paths), maxPaths)
	}
	if n := len(EncodePaths(paths)); n > maxPathsBytes {
		return Errorf(Invalid, "The names of the order's %d files take %d bytes, more than %d: divide it, or name folders instead.",
			len(paths), n, maxPathsBytes)
	}
	return nil
}

// ShortNames is the file_names column: the base names of up to two paths, or
// the first, "..." and the last.
func ShortNames(paths []string) string {
	if len(paths) > 2 {
		return EncodePaths([]string{path.Base(paths[0]), "...", path.Base(paths[len(paths)-1])})
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = path.Base(p)
	}
	return EncodePaths(names)
}

func quoteASCII(b *strings.Builder, s string) {
	const short = "\"\\\n\r\t\b\f"
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch at := strings.IndexRune(short, r); {
		case r == utf8.RuneError && size == 1:
			escape(b, 0xdc00+rune(s[i]))
		case at >= 0:
			b.WriteByte('\\')
			b.WriteByte(`"\nrtbf`[at])
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escape(b, high)
			escape(b, low)
		default:
			escape(b, r)
		}
		i += size
	}
	b.WriteByte('"')
}

// escape writes one UTF-16 unit.
func escape(b *strings.Builder, unit rune) {
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte("0123456789abcdef"[unit>>shift&0xf])
	}
}

// DecodePaths reads the files column; it is the reverse of EncodePaths, and
// takes any JSON list of texts. Errors are Invalid.
func DecodePaths(column string) ([]string, error) {
	if len(column) > maxPathsBytes {
		return nil, Errorf(Invalid, "The order's list of files is larger than %d bytes: divide the order.", maxPathsBytes)
	}
	s := pathScanner{rest: column}
	paths, wrong := s.list()
	switch {
	case wrong != "":
		return nil, Errorf(Invalid, "The order's files %s %s; expected a JSON list of paths such as [\"/data/a.tif\"].", quote(column), wrong)
	case len(paths) == 0:
		return nil, Errorf(Invalid, "The order names no files.")
	}
	for i, p := range paths {
		switch {
		case p == "":
			return nil, Errorf(Invalid, "File %d of the order's %d is an empty text.", i+1, len(paths))
		case strings.Contains(p, "\x00"):
			return nil, Errorf(Invalid, "File %d of the order's %d, %s, holds a NUL character, which no path can.", i+1, len(paths), quote(p))
		}
	}
	return paths, nil
}

// pathScanner reads a JSON list of strings. Package encoding/json would
// replace the lone surrogates that stand for bytes.
type pathScanner struct{ rest string }

// list returns the texts, or what is wrong.
func (s *pathScanner) list() (paths []string, wrong string) {
	const notJSON, notList, notText = "are not JSON", "are not a list", "hold something that is not a text"
	if !s.take('[') {
		if s.rest != "" && strings.ContainsRune(`{"-0123456789tfn`, rune(s.rest[0])) {
			return nil, notList
		}
		return nil, notJSON
	}
	for more := !s.take(']'); more; {
		text, ok := s.text()
		if !ok {
			if s.rest != "" && strings.ContainsRune("[{-0123456789tfn", rune(s.rest[0])) {
				return nil, notText
			}
			return nil, notJSON
		}
		if paths = append(paths, text); len(paths) > maxPaths {
			return nil, tooMany()
		}
		if !s.take(',') {
			if !s.take(']') {
				return nil, notJSON
			}
			more = false
		}
	}
	if s.space(); s.rest != "" {
		return nil, notJSON
	}
	return paths, ""
}

func (s *pathScanner) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

func (s *pathScanner) take(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *pathScanner) text() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	var b strings.Builder
	for {
		plain := strings.IndexFunc(s.rest, func(r rune) bool { return r == '"' || r == '\\' || r < ' ' })
		if plain < 0 {
			return "", false
		}
		b.WriteString(s.rest[:plain])
		c := s.rest[plain]
		s.rest = s.rest[plain+1:]
		switch {
		case c == '"':
			return b.String(), true
		case c != '\\' || !s.escape(&b):
			return "", false
		}
	}
}

// escape reads what follows a backslash.
func (s *pathScanner) escape(b *strings.Builder) bool {
	if s.rest == "" {
		return false
	}
	c := s.rest[0]
	if c != 'u' {
		at := strings.IndexByte(`"\/nrtbf`, c)
		if at < 0 {
			return false
		}
		b.WriteByte("\"\\/\n\r\t\b\f"[at])
		s.rest = s.rest[1:]
		return true
	}
	unit, ok := hex4(s.rest[1:])
	if !ok {
		return false
	}
	s.rest = s.rest[5:]
	if strings.HasPrefix(s.rest, `\u`) {
		if low, ok := hex4(s.rest[2:]); ok {
			if r := utf16.DecodeRune(unit, low); r != utf8.RuneError {
				s.rest = s.rest[6:]
				b.WriteRune(r)
				return true
			}
		}
	}
	switch {
	case unit >= 0xdc80 && unit <= 0xdcff:
		b.WriteByte(byte(unit - 0xdc00))
	case utf16.IsSurrogate(unit):
		return false // half a character, which no path holds
	default:
		b.WriteRune(unit)
	}
	return true
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}
