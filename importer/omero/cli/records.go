package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Record is what the import of one fileset made.
type Record struct {
	Fileset int64
	Images  []int64
	Plates  []int64
}

// What keeps the output of an import from being read in full. The records that are
// returned beside it are not all that there are: only the server knows the others.
var (
	// ErrCut: it ends within a record, as that of a process that was killed does.
	ErrCut = errors.New("the output of the import ends within a record")
	// ErrGarbled: it holds what is no whole record, or contradicts another one.
	ErrGarbled = errors.New("the output of the import is garbled")
)

// dashes begin a document.
const dashes = "---"

const (
	// maxDocument bounds a line, and a record: of the largest fileset it is 2 MB.
	maxDocument = 4 << 20
	// maxObjects bounds the records and the objects that they list, together.
	maxObjects = 1 << 19
)

// decodeRecords reads what `omero import --output yaml` prints on its standard output:
// log lines, and a document for each fileset.
//
//	---
//	- Fileset: 4102
//	  Image: [5001,5002]
//
// Keys come in any order. A list may take several lines, within its brackets or with a
// dash before each id. What is no part of a record ends it. A record without a fileset,
// or without a list of images or of plates, is garbled; so is what looks like a part of a
// record and belongs to none. Imports of several filesets at once (--parallel-fileset)
// print into each other's records, which is not always to be seen: with those, only the
// server can say which objects a fileset has. The same record twice is one; two different
// ones of a fileset are garbled, and neither is returned.
//
// Nothing marks the end of a record. One that is cut behind a list, with another list to
// come, is taken for whole.
//
// Who chooses the names of files has a say in log lines, and must not make records of
// them. So what is read here is no YAML, but lines that end in a line feed: at none of the
// other characters that YAML ends lines at, and not where a line gets too long. A record
// begins with a line of three dashes alone, and its own lines begin with a dash or a blank.
// Log lines begin with a date, or with a path and so with a slash. Hence a name without a
// line feed can neither make a record nor add to one. With a line feed, a name can print
// any record, that no reader could tell from others: such paths have to be refused before
// an import, those inside of folders too, or else a record is to be believed only when the
// server says that its fileset was made of the paths that were to be imported.
//
// r is read to its end even where nothing more of it is kept, lest its writer waits for
// ever. What is kept is bounded.
func decodeRecords(r io.Reader) (records []Record, err error) {
	d := decoder{index: map[int64]int{}, disputed: map[int64]bool{}}
	lines := newLineReader(r)
	for {
		l, err := lines.next()
		if err != nil {
			d.close(true)
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("reading the output of the import: %w", err)
				return d.undisputed(), errors.Join(err, d.garbled, d.cut)
			}
			return d.undisputed(), errors.Join(d.garbled, d.cut)
		}
		if l.ended {
			d.take(l)
		} else {
			d.takeLast(l)
		}
	}
}

// decoder makes records of lines.
type decoder struct {
	number  int  // of the line
	open    bool // in a document: three dashes were read, and only what can follow them
	start   int  // its line
	body    strings.Builder
	tooLong bool // its body is, and is not kept

	records  []Record
	index    map[int64]int // of records, by fileset
	disputed map[int64]bool
	objects  int // the records, and all that they list
	garbled  error
	cut      error
}

// take takes the next line.
func (d *decoder) take(l line) {
	d.number++
	if d.open && d.continues(l.text, "- ") {
		d.add(l)
		return
	}
	d.close(false)
	switch {
	case l.long:
	case l.text == dashes:
		d.open, d.start = true, d.number
	default:
		d.stray(l.text)
	}
}

// takeLast takes a line that the output ends in. It is as good as whole where it closes a
// list; of a number there may be digits missing.
func (d *decoder) takeLast(l line) {
	d.number++
	if d.open && d.continues(l.text, "-") {
		if strings.HasSuffix(l.text, "]") {
			d.add(l)
			return
		}
		d.open, d.cut = false, ErrCut
		return
	}
	d.close(false)
	if strings.HasPrefix(dashes, l.text) {
		d.cut = ErrCut
	}
}

// continues reports a line that may follow in the open document, whose first one has the
// prefix first.
func (d *decoder) continues(text, first string) bool {
	if d.body.Len() == 0 && !d.tooLong {
		return strings.HasPrefix(text, first)
	}
	return strings.HasPrefix(text, " ")
}

// add adds a line to the open document.
func (d *decoder) add(l line) {
	if d.tooLong = d.tooLong || l.long || d.body.Len()+len(l.text) > maxDocument; d.tooLong {
		d.body.Reset()
		return
	}
	d.body.WriteString(l.text)
	d.body.WriteByte('\n')
}

// close takes the open document, if there is one, as it is. The output may end with it.
func (d *decoder) close(atEnd bool) {
	if !d.open {
		return
	}
	body, tooLong := d.body.String(), d.tooLong
	d.open, d.tooLong = false, false
	d.body.Reset()
	if tooLong {
		d.fail(d.start, "is too long")
		return
	}
	if body == "" { // only dashes
		if atEnd {
			d.cut = ErrCut
		}
		return
	}
	record, rest, found := parseDocument(strings.Split(strings.TrimSuffix(body, "\n"), "\n"))
	switch {
	case found == whole:
		d.keep(record)
	case found == unfinished && atEnd && len(rest) == 0:
		d.cut = ErrCut
	case found != none:
		d.fail(d.start, "is no whole record")
	}
	for _, text := range rest {
		d.stray(text)
	}
}

// keep keeps a record.
func (d *decoder) keep(r Record) {
	if i, ok := d.index[r.Fileset]; ok {
		if known := d.records[i]; !slices.Equal(known.Images, r.Images) || !slices.Equal(known.Plates, r.Plates) {
			d.disputed[r.Fileset] = true
			d.fail(d.start, "is another record of the same fileset")
		}
		return
	}
	more := 1 + len(r.Images) + len(r.Plates)
	if d.objects+more > maxObjects {
		d.fail(d.start, "lists too many objects")
		return
	}
	d.objects += more
	d.index[r.Fileset] = len(d.records)
	d.records = append(d.records, r)
}

// undisputed returns the records, without those that contradict each other.
func (d *decoder) undisputed() []Record {
	return slices.DeleteFunc(d.records, func(r Record) bool { return d.disputed[r.Fileset] })
}

// stray looks at a line outside of all records, which must not be a part of one.
func (d *decoder) stray(text string) {
	if isPartOfRecord(text) {
		d.fail(d.number, "is a part of a record, but not in one")
	}
}

// fail keeps the first thing that is wrong.
func (d *decoder) fail(line int, reason string) {
	if d.garbled == nil {
		d.garbled = fmt.Errorf("%w: what begins at line %d %s", ErrGarbled, line, reason)
	}
}
