package preprocess

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Output takes in what a converter writes, of any length, in memory that is bounded.
type Output struct {
	watch       Watch
	out, err    lines
	last        []string // lines that are not blank
	answer      []byte
	percent     int
	hasProgress bool
}

// NewOutput tells watch of lines and progress.
func NewOutput(watch Watch) *Output {
	o := &Output{watch: watch}
	o.out = lines{output: o, from: Stdout, keep: MaxAnswer + 1}
	o.err = lines{output: o, from: Stderr, keep: MaxLine}
	return o
}

// Writer takes in one of the streams. It never fails. Only one of the two may be used
// at a time.
func (o *Output) Writer(from Stream) io.Writer {
	if from == Stderr {
		return &o.err
	}
	return &o.out
}

// Close takes what was written last for lines, though their ends are missing.
func (o *Output) Close() {
	o.out.end()
	o.err.end()
}

// Answer is the last line on standard output that is not blank. One that is longer than
// MaxAnswer is cut, to something still longer.
func (o *Output) Answer() []byte { return o.answer }

// Adopt takes the answer of an Output that saw more of the same line: a log may have lost
// how it began.
func (o *Output) Adopt(more *Output) {
	if len(o.answer) > 0 && bytes.HasSuffix(more.answer, o.answer) {
		o.answer = more.answer
	}
}

// lastLines is how many lines tell how a converter ended.
const lastLines = 3

// Ending is a sentence with the end of the output.
func (o *Output) Ending() string {
	const longest = 400
	var last []string
	for _, line := range o.last {
		last = append(last, strings.TrimSpace(strings.Map(printable, line)))
	}
	if len(last) == 0 {
		return "It wrote nothing."
	}
	text := strings.Join(last, " | ")
	if runes := []rune(text); len(runes) > longest {
		text = "…" + string(runes[len(runes)-longest:])
	}
	return "The end of its output: " + text
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// percentage is how progress is written, as in "42%" or "progress: 42.5 %".
var percentage = regexp.MustCompile(`(?:^|[^0-9.])([0-9]{1,3})(?:\.[0-9]+)? ?%`)

// longestProgress bounds lines that may tell of progress.
const longestProgress = 500

func (o *Output) progress(text []byte) {
	if o.watch.Progress == nil || len(text) > longestProgress || bytes.IndexByte(text, '%') < 0 {
		return
	}
	found := percentage.FindAllSubmatch(text, -1)
	if len(found) == 0 {
		return
	}
	percent, err := strconv.Atoi(string(found[len(found)-1][1]))
	if err != nil || percent > 100 || o.hasProgress && percent == o.percent {
		return
	}
	o.percent, o.hasProgress = percent, true
	o.watch.Progress(percent)
}

func (o *Output) line(from Stream, text []byte) {
	if from == Stdout && len(bytes.TrimSpace(text)) > 0 {
		o.answer = append(o.answer[:0], text...)
	}
	short := strings.ToValidUTF8(string(text[:min(len(text), MaxLine)]), "\uFFFD")
	short = strings.ReplaceAll(short, "\x00", "\uFFFD") // no database keeps it
	if strings.TrimSpace(short) != "" {
		if o.last = append(o.last, short); len(o.last) > lastLines {
			o.last = o.last[1:]
		}
	}
	if o.watch.Line != nil {
		o.watch.Line(from, short)
	}
	o.progress(text)
}

// lines splits one stream. A carriage return starts a line anew, as bars of progress do.
type lines struct {
	output   *Output
	from     Stream
	keep     int // bytes of a line
	text     []byte
	begun    bool
	returned bool
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.returned && p[0] != '\n' {
			l.text = l.text[:0]
		}
		l.returned = false
		i := bytes.IndexAny(p, "\r\n")
		part := p
		if i >= 0 {
			part = p[:i]
		}
		l.begun = true
		l.text = append(l.text, part[:min(len(part), l.keep-len(l.text))]...)
		if i < 0 {
			break
		}
		if p[i] == '\n' {
			l.end()
		} else {
			l.returned = true
			l.output.progress(l.text)
		}
		p = p[i+1:]
	}
	return n, nil
}

func (l *lines) end() {
	if !l.begun {
		return
	}
	l.output.line(l.from, l.text)
	l.text, l.begun, l.returned = l.text[:0], false, false
	if cap(l.text) > 64<<10 {
		l.text = nil
	}
}
