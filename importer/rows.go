package importer

import "strings"

// row is what a row of a table says of its first two cells.
type row struct {
	line       int // where it begins, or has the quote that is not closed
	key, value string
	quoted     bool // the key is
	columns    int  // without empty ones behind the second
	filled     int  // the last column that is not empty
	unclosed   bool // a quote is
}

// blank reports a row of empty cells.
func (r row) blank() bool { return r.filled == 0 && !r.unclosed }

// isHeader reports a row that names the columns.
func (r row) isHeader() bool {
	key, value := strings.TrimSpace(r.key), strings.TrimSpace(r.value)
	return r.columns == 2 && !r.unclosed &&
		(strings.EqualFold(key, "key") || strings.EqualFold(key, "name")) && strings.EqualFold(value, "value")
}

// rows reads a table row by row. Lines end in "\n".
//
// It does what encoding/csv does, where that takes a table. That reads on to the end of
// the file for a quote that is not closed: strictly, all rows behind it are lost with it,
// and with LazyQuotes they silently become part of its value. Here that is one line.
// And a quote amid a cell (a 5" wafer) is itself.
type rows struct {
	text string
	sep  byte
	at   int
	line int
}

func newRows(text string, sep byte) *rows {
	t := &rows{text: text, sep: sep, line: 1}
	if _, ok := namedSeparator(text); ok {
		t.at = len("sep=;") // its line is blank then
	}
	return t
}

// next returns the next row; it is not ok at the end.
func (t *rows) next() (r row, ok bool) {
	if t.at == len(t.text) {
		return row{}, false
	}
	r.line = t.line
	for cells := 1; ; cells++ {
		cell, quoted, closed := t.cell()
		if !closed {
			r.line, r.unclosed = t.line, true
			t.skipLine()
			return r, true
		}
		switch cells {
		case 1:
			r.key, r.quoted = cell, quoted
		case 2:
			r.value = cell
		}
		if strings.TrimSpace(cell) != "" {
			r.filled = cells
		}
		r.columns = max(min(cells, 2), r.filled)
		if t.at == len(t.text) {
			return r, true
		}
		ended := t.text[t.at] == '\n'
		t.at++
		if ended {
			t.line++
			return r, true
		}
	}
}

// cell reads a cell, up to what ends it. One with a quote that is not closed is not read.
func (t *rows) cell() (cell string, quoted, closed bool) {
	if start := t.skipBlanks(t.at); start < len(t.text) && t.text[start] == '"' {
		closing := t.closing(start)
		if closing < 0 {
			return "", false, false
		}
		inner := t.text[start+1 : closing]
		lines := strings.Count(inner, "\n")
		if end := t.skipBlanks(closing + 1); t.endsCell(end) {
			t.at = end
			t.line += lines
			return strings.ReplaceAll(inner, `""`, `"`), true, true
		}
		if lines > 0 {
			return "", false, false // that quote is another cell's
		}
	}
	start := t.at
	for !t.endsCell(t.at) {
		t.at++
	}
	return t.text[start:t.at], false, true
}

// closing finds the quote that closes the one at start. A doubled one does not.
func (t *rows) closing(start int) int {
	for i := start + 1; ; i += 2 {
		n := strings.IndexByte(t.text[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		if i+1 == len(t.text) || t.text[i+1] != '"' {
			return i
		}
	}
}

func (t *rows) endsCell(at int) bool {
	return at == len(t.text) || t.text[at] == '\n' || t.text[at] == t.sep
}

func (t *rows) skipBlanks(at int) int {
	for at < len(t.text) && t.text[at] != t.sep && (t.text[at] == ' ' || t.text[at] == '\t') {
		at++
	}
	return at
}

func (t *rows) skipLine() {
	n := strings.IndexByte(t.text[t.at:], '\n')
	if n < 0 {
		t.at = len(t.text)
		return
	}
	t.at += n + 1
	t.line++
}
