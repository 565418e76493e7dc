package tiff

import (
	"bytes"
	"fmt"
	"math"
)

// entry is one field of a directory.
type entry struct {
	kind  uint16
	count uint64
	value []byte // the values where they fit, else their offset
}

const (
	// maxEntries bounds a directory: BigTIFF's may claim any number.
	maxEntries = math.MaxUint16
	// maxBytes bounds a field: its values are all held.
	maxBytes = 64 << 20
	// maxValues bounds those of a field, which take more when they are held than in the file.
	maxValues = maxBytes / 8
	// maxSame bounds a field whose values are all the same.
	maxSame = 64
)

// offset checks that an offset lies in the file.
func (f *File) offset(at uint64) (int64, error) {
	if at > uint64(f.size) { //nolint:gosec // a size is not negative
		return 0, fmt.Errorf("something in it is said to be at byte %d, beyond its end", at)
	}
	return int64(at), nil //nolint:gosec // no larger than the size
}

// read returns n bytes of the file.
func (f *File) read(at, n int64) ([]byte, error) {
	if at > f.size || n > f.size-at {
		return nil, fmt.Errorf("%d bytes at byte %d are not in the file", n, at)
	}
	data := make([]byte, n)
	if _, err := f.r.ReadAt(data, at); err != nil {
		return nil, fmt.Errorf("reading %d bytes at byte %d: %w", n, at, err)
	}
	return data, nil
}

// directory is what is said of a page.
type directory struct {
	entries map[uint16]entry
	bytes   int64 // it takes in the file
	next    int64 // where the next one is, or 0
}

func (f *File) readDirectory(at int64) (directory, error) {
	countSize, entrySize, offsetSize := int64(2), int64(12), int64(4)
	if f.big {
		countSize, entrySize, offsetSize = 8, 20, 8
	}
	head, err := f.read(at, countSize)
	if err != nil {
		return directory{}, fmt.Errorf("reading its directory: %w", err)
	}
	n := f.uint(head)
	if n > maxEntries {
		return directory{}, fmt.Errorf("its directory claims %d entries", n)
	}
	data, err := f.read(at+countSize, int64(n)*entrySize+offsetSize)
	if err != nil {
		return directory{}, fmt.Errorf("reading its directory: %w", err)
	}
	dir := directory{entries: make(map[uint16]entry, n), bytes: int64(len(data))}
	for range n {
		dir.entries[f.order.Uint16(data)] = entry{
			kind:  f.order.Uint16(data[2:]),
			count: f.uint(data[4 : entrySize-offsetSize]),
			value: data[entrySize-offsetSize : entrySize],
		}
		data = data[entrySize:]
	}
	dir.next, err = f.offset(f.uint(data))
	return dir, err
}

// uint reads a number of as many bytes as there are.
func (f *File) uint(data []byte) uint64 {
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(f.order.Uint16(data))
	case 4:
		return uint64(f.order.Uint32(data))
	default:
		return f.order.Uint64(data)
	}
}

// fields reads the fields of a directory until one is wrong.
type fields struct {
	file *File
	directory
	err error
}

// refuse notes what is wrong, unless something else is.
func (d *fields) refuse(wrong bool, format string, args ...any) {
	if wrong && d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// raw returns the bytes of a field's values, and how many each has.
func (d *fields) raw(tag uint16) ([]byte, int64) {
	e := d.entries[tag]
	size := kindSizes[e.kind]
	if d.err != nil || size == 0 || e.count == 0 {
		if d.err == nil {
			d.err = fmt.Errorf("its field %d is missing or of an unknown kind", tag)
		}
		return nil, 0
	}
	if e.count > uint64(maxBytes/size) { //nolint:gosec // not negative
		d.err = fmt.Errorf("its field %d claims %d values", tag, e.count)
		return nil, 0
	}
	n := size * int64(e.count) //nolint:gosec // at most maxBytes
	if n <= int64(len(e.value)) {
		return e.value[:n], size
	}
	at, err := d.file.offset(d.file.uint(e.value))
	if err == nil {
		var data []byte
		if data, err = d.file.read(at, n); err == nil {
			return data, size
		}
	}
	d.err = fmt.Errorf("reading its field %d: %w", tag, err)
	return nil, 0
}

// all returns the values of a field that must be there.
func (d *fields) all(tag uint16) []uint64 {
	n := d.entries[tag].count
	d.refuse(n > maxValues, "its field %d claims %d values", tag, n)
	data, size := d.raw(tag)
	if d.err != nil {
		return nil
	}
	values := make([]uint64, 0, int64(len(data))/size)
	for ; len(data) > 0; data = data[size:] {
		values = append(values, d.file.uint(data[:size]))
	}
	return values
}

// one returns the value of a field whose values are all the same, or fallback
// where it is missing.
func (d *fields) one(tag uint16, fallback uint64) uint64 {
	e, ok := d.entries[tag]
	if !ok || d.err != nil {
		return fallback
	}
	d.refuse(e.count > maxSame, "its field %d claims %d values", tag, e.count)
	values := d.all(tag)
	if d.err != nil {
		return fallback
	}
	for _, v := range values[1:] {
		d.refuse(v != values[0], "the values of its field %d differ", tag)
	}
	return values[0]
}

// text returns a field's text, or "" where it is missing.
func (d *fields) text(tag uint16) string {
	if _, ok := d.entries[tag]; !ok {
		return ""
	}
	data, _ := d.raw(tag)
	return string(bytes.TrimRight(data, "\x00"))
}
