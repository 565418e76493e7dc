package preview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
)

// source is a file or a folder below the share that is read, within bounds.
type source struct {
	ctx  context.Context //nolint:containedctx // of reads, which have none of their own
	root *os.Root
	dir  string // the file or folder, below root
	left int64  // bytes that may still be read
}

var errMuch = errors.New("more than a picture is worth would have to be read")

// open opens a regular file of the folder, or with "" the file itself.
func (s *source) open(name string) (*os.File, int64, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, 0, err
	}
	// Whatever has that name: opening a pipe would never end.
	f, err := s.root.OpenFile(path.Join(s.dir, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file: %w", name, errNone)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// read reads a whole file of the folder, of up to so many bytes.
func (s *source) read(name string, most int64) ([]byte, error) {
	f, size, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if size > most {
		return nil, errMuch
	}
	return io.ReadAll(io.NewSectionReader(&bounded{s, f}, 0, size))
}

// bounded reads within a source's bounds.
type bounded struct {
	*source

	file *os.File
}

// ReadAt implements io.ReaderAt.
func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errMuch
	}
	return b.file.ReadAt(p, at)
}
