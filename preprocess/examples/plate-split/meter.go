package main

import (
	"errors"
	"io"
)

var (
	errBomb = errors.New("much more comes out of the archive than microscopy images could shrink to")
	errList = errors.New("it is longer than that of any plates")
)

// meter bounds what is read through it.
type meter struct {
	left  int64
	alive func() error // says when to stop
}

func (m *meter) measured(r io.Reader) io.Reader { return &measured{r, m} }

type measured struct {
	io.Reader
	*meter
}

func (m *measured) Read(data []byte) (int, error) {
	if err := m.alive(); err != nil {
		return 0, err
	}
	n, err := m.Reader.Read(data)
	if m.left -= int64(n); m.left < 0 {
		return 0, errBomb
	}
	return n, err
}

// frugal bounds what is read at all places together.
type frugal struct {
	io.ReaderAt

	left int64
}

func (f *frugal) ReadAt(data []byte, at int64) (int, error) {
	if f.left -= int64(len(data)); f.left < 0 {
		return 0, errList
	}
	return f.ReaderAt.ReadAt(data, at)
}
