package order

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxPathsBytes bounds the files column of one row.
const MaxPathsBytes = 16 << 20

// maxPaths bounds the files of one order.
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
		if i > from && (size+n > MaxPathsBytes/2 || i-from == maxPaths/2) {
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
	if n := len(EncodePaths(paths)); n > MaxPathsBytes {
		return Errorf(Invalid, "The names of the order's %d files take %d bytes, more than %d: divide it, or name folders instead.",
			len(paths), n, MaxPathsBytes)
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
func DecodePaths(column string) (paths []string, err error) {
	err = EachPath(column, nil, func(path string) error {
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return paths, nil
}

// EachPath does with each path of a files column what each says. The column begins
// with head; more, which may be nil, returns what follows a piece at a time, and ""
// at the end. An error is Invalid, or one that more or each returned.
func EachPath(head string, more func() (string, error), each func(path string) error) error {
	if len(head) > MaxPathsBytes {
		return errTooLarge()
	}
	s := pathScanner{rest: head, size: len(head), more: more}
	wrong := s.list(func(path string) error {
		switch {
		case path == "":
			return Errorf(Invalid, "File %d of the order is an empty text.", s.n)
		case strings.Contains(path, "\x00"):
			return Errorf(Invalid, "File %d of the order, %s, holds a NUL character, which no path can.", s.n, quote(path))
		default:
			return each(path)
		}
	})
	switch {
	case s.err != nil:
		return s.err
	case wrong != "":
		return Errorf(Invalid, "The order's files %s %s; expected a JSON list of paths such as [\"/data/a.tif\"].", quote(head), wrong)
	case s.n == 0:
		return Errorf(Invalid, "The order names no files.")
	default:
		return nil
	}
}

func errTooLarge() error {
	return Errorf(Invalid, "The order's list of files is larger than %d bytes: divide the order.", MaxPathsBytes)
}

// pathScanner reads a JSON list of strings, a piece at a time. Package encoding/json
// would replace the lone surrogates that stand for bytes.
type pathScanner struct {
	rest string // of what was read
	size int    // bytes that were read
	n    int    // texts
	more func() (string, error)
	err  error // no list can be told
}

// fill reads on, unless that was all.
func (s *pathScanner) fill() bool {
	if s.more == nil || s.err != nil {
		return false
	}
	piece, err := s.more()
	if s.size += len(piece); err == nil && s.size > MaxPathsBytes {
		err = errTooLarge()
	}
	if err != nil || piece == "" {
		s.err, s.more = err, nil
		return false
	}
	s.rest += piece
	return true
}

// list calls each with every text, and returns what is wrong.
func (s *pathScanner) list(each func(string) error) (wrong string) {
	const notJSON, notList, notText = "are not JSON", "are not a list", "hold something that is not a text"
	if !s.take('[') {
		if s.rest != "" && strings.ContainsRune(`{"-0123456789tfn`, rune(s.rest[0])) {
			return notList
		}
		return notJSON
	}
	for more := !s.take(']'); more; {
		text, ok := s.text()
		if !ok {
			if s.rest != "" && strings.ContainsRune("[{-0123456789tfn", rune(s.rest[0])) {
				return notText
			}
			return notJSON
		}
		if s.n++; s.n > maxPaths {
			return tooMany()
		}
		if err := each(text); err != nil {
			s.err = err
			return ""
		}
		if !s.take(',') {
			if !s.take(']') {
				return notJSON
			}
			more = false
		}
	}
	if s.space(); s.rest != "" {
		return notJSON
	}
	return ""
}

func (s *pathScanner) space() {
	for more := true; more; more = s.rest == "" && s.fill() {
		s.rest = strings.TrimLeft(s.rest, jsonSpace)
	}
}

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
			b.WriteString(s.rest)
			if s.rest = ""; !s.fill() {
				return "", false
			}
			continue
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

// longestEscape is a pair of \uXXXX, less its first backslash.
const longestEscape = 11

// escape reads what follows a backslash.
func (s *pathScanner) escape(b *strings.Builder) bool {
	for len(s.rest) < longestEscape && s.fill() { //nolint:revive // that is all
	}
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
