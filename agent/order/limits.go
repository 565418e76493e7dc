package order

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// MaxManifestBytes is the largest manifest or legacy order file that is
// decoded. A reader that stops one byte later lets the decoder tell.
const MaxManifestBytes = 1 << 20

// How long patterns may be, one, as the longest path, and all together from their
// first wildcards on: they are matched against every file that is dropped, in a
// time that grows with their length.
const (
	maxGlobBytes  = 4 << 10
	maxGlobsBytes = 2 << 10
	// maxGlobPart is the longest component of one: names have 255 bytes at most.
	maxGlobPart = 300
)

// checkText refuses what no order file may hold, whatever its format, and
// returns the text without a byte order mark.
func checkText(src source, data []byte) (string, error) {
	switch {
	case len(data) > MaxManifestBytes:
		return "", src.fault(1, 1, fmt.Sprintf("The file is larger than %d bytes", MaxManifestBytes),
			"a smaller file; name folders, or patterns such as \"*.tif\", in place of single files")
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "", src.fault(1, 1, "The file is encoded in UTF-16", "a file saved as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		line, column := position(data, i)
		return "", src.fault(line, column, "There is a NUL byte here", "plain text, saved as UTF-8")
	}
	if i := invalidUTF8(data); i >= 0 {
		line, column := position(data, i)
		return "", src.fault(line, column, "There is a byte here that is not UTF-8", "a file saved as UTF-8")
	}
	return string(data), nil
}

// invalidUTF8 returns the offset of the first byte that is no UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// position returns the line and column, in characters, of an offset.
func position(data []byte, offset int) (line, column int) {
	before := data[:offset]
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}
