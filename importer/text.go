package importer

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	unicodetext "golang.org/x/text/encoding/unicode"
)

// signatures are what files begin with that people take for tables, or save as such by
// mistake: spreadsheets, archives, documents, images.
var signatures = []string{
	"PK\x03\x04", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "\x1f\x8b", "%PDF-",
	"II*\x00", "MM\x00*", "II+\x00", "MM\x00+", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "\x89HDF\r\n\x1a\n",
}

// decodeText makes text of a file's bytes, valid UTF-8 whose lines end in "\n": it is
// UTF-16 or UTF-8 where its first bytes say so, UTF-8 where it can be, and else
// Windows-1252, of which latin-1 is a part. It is not ok where it can be no text.
func decodeText(data []byte) (text string, ok bool) {
	for _, s := range signatures {
		if bytes.HasPrefix(data, []byte(s)) {
			return "", false
		}
	}
	var decoder *encoding.Decoder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		decoder = unicodetext.UTF16(unicodetext.LittleEndian, unicodetext.ExpectBOM).NewDecoder()
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		decoder = unicodetext.UTF8BOM.NewDecoder()
	case !utf8.Valid(data):
		decoder = charmap.Windows1252.NewDecoder()
	}
	if decoder != nil {
		decoded, err := decoder.Bytes(data)
		if err != nil {
			return "", false
		}
		data = decoded
	}
	text = string(data)
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text, isText(text)
}

// isText tells text from other data by its control characters. A few are no matter, and
// NUL is what some programs fill cells with.
func isText(text string) bool {
	var all, nul, control int
	for _, r := range text {
		all++
		switch {
		case r == 0:
			nul++
		case isControl(r):
			control++
		}
	}
	// Of random bytes every ninth is one; of images that are not compressed, most are NUL.
	few := nul+control <= 8
	return few || nul*3 <= all && control*20 <= all-nul
}

// isControl reports what is neither to be seen nor white space that a cell may hold.
func isControl(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }

// withoutControls makes "\n" of other characters that end lines, and removes what else is
// a control character.
func withoutControls(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\v' || r == '\f' || r == '\u0085':
			return '\n'
		case isControl(r):
			return -1
		}
		return r
	}, s)
}
