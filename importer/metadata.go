package importer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxTable bounds a table of metadata; those that people write are kilobytes.
const maxTable = 10 << 20

// Metadata reads a table of keys and values, in the table's order; a key may repeat. An
// error is fs.ErrNotExist where there is no such file, and an *Error where what is there
// cannot be such a table.
//
// Each row has a key and a value, separated by a comma, a semicolon or a tab, whichever
// the table uses. A first row that names the two is skipped; so are rows without anything
// in them, and empty cells behind the second one. A warning, of which there are few, tells
// of each other row that is not taken.
//
// Keys and values are valid UTF-8 without control characters but "\n" and "\t"; keys are
// not empty.
func (s *Share) Metadata(path string) (pairs []Pair, warnings []string, err error) {
	data, err := s.readTable(path)
	if err != nil {
		return nil, nil, err
	}
	text, ok := decodeText(data)
	if !ok {
		return nil, nil, &Error{Reason: fmt.Sprintf("%q is no text: save it as CSV in UTF-8.", path)}
	}
	pairs, warnings = decodeTable(text)
	return pairs, warnings, nil
}

// readTable reads a file of the share that is no larger than a table may be.
func (s *Share) readTable(path string) ([]byte, error) {
	resolved, info, err := s.Resolve(path)
	if err != nil {
		return nil, err
	}
	noFile := &Error{Reason: fmt.Sprintf("%q is no file.", path)}
	if !info.Mode().IsRegular() {
		return nil, noFile
	}
	rel, err := s.Rel(resolved)
	if err != nil {
		return nil, err
	}
	// What was a file a moment ago may be a pipe by now, and opening that would wait.
	f, err := s.Root().OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err = f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at %q: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, noFile
	}
	tooLarge := &Error{Reason: fmt.Sprintf("%q is larger than %d MB, which no table of metadata may be.", path, maxTable>>20)}
	if info.Size() > maxTable {
		return nil, tooLarge
	}
	// It may have grown since.
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(f, maxTable+1)); err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	if data.Len() > maxTable {
		return nil, tooLarge
	}
	return data.Bytes(), nil
}
