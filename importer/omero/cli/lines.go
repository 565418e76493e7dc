package cli

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// line is a line of some output.
type line struct {
	text  string // without its end, and the blanks before that
	ended bool   // by a line feed; otherwise the output ended, or could not be read on
	long  bool   // not all of its text is kept
}

// lineReader reads lines, of which the longest are not kept whole.
type lineReader struct {
	from *bufio.Reader
	err  error
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line, and io.EOF behind the last one.
func (r *lineReader) next() (line, error) {
	var l line
	var text []byte
	for r.err == nil && !l.ended {
		part, err := r.from.ReadSlice('\n')
		l.ended = err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			r.err = err
		}
		if room := maxDocument - len(text); len(part) > room {
			part, l.long = part[:room], true
		}
		text = append(text, part...)
	}
	if len(text) == 0 {
		return line{}, r.err
	}
	l.text = string(text)
	if l.ended {
		l.text = strings.TrimRight(l.text, " \r\n")
	}
	return l, nil
}
