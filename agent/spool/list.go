package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// inMemory is how many bytes of a list are kept in memory.
const inMemory = 64 << 10

// List is a list of records, each some bytes. It is not for concurrent use.
type List struct {
	dir  string
	n    int
	tail []byte   // records that are not in the file
	file *os.File // those before them; nil while there are few
	size int64    // of the file
}

// New makes an empty list; dir is the folder on whose disk it may grow.
func New(dir string) *List { return &List{dir: dir} }

// Len is the number of records.
func (l *List) Len() int { return l.n }

// Add appends a record.
func (l *List) Add(record []byte) error {
	l.tail = binary.AppendUvarint(l.tail, uint64(len(record)))
	l.tail = append(l.tail, record...)
	l.n++
	if len(l.tail) < inMemory {
		return nil
	}
	if l.file == nil {
		file, err := unnamed(l.dir)
		if err != nil {
			return fmt.Errorf("making a file for a long list: %w", err)
		}
		l.file = file
	}
	if _, err := l.file.WriteAt(l.tail, l.size); err != nil {
		return fmt.Errorf("writing a long list into %s: %w", l.dir, err)
	}
	l.size += int64(len(l.tail))
	l.tail = l.tail[:0]
	return nil
}

// All is the records in their order, or an error as the last of them; also where the
// file has lost some. A record is valid until the next one. Nothing may be added
// meanwhile.
func (l *List) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		seen := 0
		if l.file != nil {
			file := bufio.NewReaderSize(io.NewSectionReader(l.file, 0, l.size), inMemory)
			var record []byte
			for {
				var err error
				if record, err = l.read(file, record); err != nil {
					if errors.Is(err, io.EOF) {
						break
					}
					yield(nil, fmt.Errorf("reading a long list from %s: %w", l.dir, err))
					return
				}
				if seen++; !yield(record, nil) {
					return
				}
			}
		}
		for rest := l.tail; len(rest) > 0; seen++ {
			n, head := binary.Uvarint(rest)
			end := head + int(n) //nolint:gosec // as Add wrote it
			if !yield(rest[head:end], nil) {
				return
			}
			rest = rest[end:]
		}
		if seen != l.n {
			yield(nil, fmt.Errorf("reading a long list from %s: %d of its %d records are there: %w", l.dir, seen, l.n, io.ErrUnexpectedEOF))
		}
	}
}

// read is the next record of the file, in place of the one before.
func (l *List) read(file *bufio.Reader, record []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(file)
	if err != nil {
		return nil, err
	}
	if n > uint64(l.size) { //nolint:gosec // not negative
		return nil, fmt.Errorf("a record of %d bytes is longer than the list: %w", n, io.ErrUnexpectedEOF)
	}
	record = slices.Grow(record[:0], int(n))[:n] //nolint:gosec // bounded above
	_, err = io.ReadFull(file, record)
	if errors.Is(err, io.EOF) { // the end of a list is before a record
		err = io.ErrUnexpectedEOF
	}
	return record, err
}

// Close gives up the list.
func (l *List) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// unnamed opens a file that ends with the process.
func unnamed(dir string) (*os.File, error) {
	file, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600) //nolint:gosec // a folder of the service's own
	if err == nil {
		return file, nil
	}
	// Some network filesystems cannot: there it has a name for a moment.
	file, err = os.CreateTemp(dir, "list-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
