package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrIrregular says that a name is no regular file's, but a link's or a pipe's.
var ErrIrregular = errors.New("it is no regular file")

// OpenRegular opens a regular file. The root keeps links from leading out, yet
// it follows those that stay inside: what is opened has to be what has the name.
func OpenRegular(root *os.Root, rel string) (*os.File, fs.FileInfo, error) {
	named, err := root.Lstat(rel)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	if !named.Mode().IsRegular() {
		return nil, nil, ErrIrregular
	}
	// Non-blocking: it may be a pipe by now.
	f, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(named, info) {
		err = fmt.Errorf("%s: it was replaced while it was opened", rel)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// plain looks at path and opens it, as what most paths are: a regular file with content,
// with no link on the way. The result is nil of everything else, which takes many calls to
// tell apart, and where the kernel cannot open without links.
func (s *Share) plain(path string) (resolved string, info fs.FileInfo) {
	rel, err := s.Rel(path)
	if err != nil || !storable(rel) {
		return "", nil
	}
	at := filepath.Join(s.target, rel)
	info, err = os.Lstat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return "", nil
	}
	// Non-blocking: it may be a pipe by now.
	fd, err := unix.Openat2(unix.AT_FDCWD, at, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return "", nil
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	var opened unix.Stat_t
	named, ok := info.Sys().(*syscall.Stat_t)
	if err := unix.Fstat(fd, &opened); err != nil || !ok || opened.Ino != named.Ino || opened.Dev != named.Dev {
		return "", nil // it was replaced meanwhile
	}
	return filepath.Join(s.dir, rel), info
}
