package repository

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// linker makes the links of one import. A folder that several links follow each other into
// stays open for these.
type linker struct {
	dir    *os.Root
	at     syscall.RawConn // of dir
	folder string          // of the last link
	open   int             // that folder, where there is one
}

// close ends with the last link's folder. Nothing was written through its descriptor.
func (l *linker) close() {
	if l.folder != "" {
		_ = unix.Close(l.open)
		l.folder = ""
	}
}

// enter opens a link's folder, and makes it when it is absent.
func (l *linker) enter(folder string) error {
	if folder == l.folder {
		return nil
	}
	l.close()
	open, err := l.make(folder)
	if err != nil { // as where it is the first of its day, or the kernel is an old one
		open, err = l.makeAll(folder)
	}
	if err == nil {
		l.folder, l.open = folder, open
	}
	return err
}

// openFlags are for a folder that is only gone through.
const openFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

// make makes and opens a folder whose parent is there, as most are: by few calls. No link
// leads out of the repository.
func (l *linker) make(folder string) (fd int, err error) {
	var parent int
	closed := l.at.Control(func(at uintptr) { // it is not closed meanwhile
		parent, err = unix.Openat2(int(at), path.Dir(folder), &unix.OpenHow{Flags: openFlags, Resolve: unix.RESOLVE_BENEATH})
	})
	if err := cmp.Or(closed, err); err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(parent) }()
	if err := unix.Mkdirat(parent, path.Base(folder), 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return unix.Openat(parent, path.Base(folder), openFlags|unix.O_NOFOLLOW, 0)
}

// makeAll makes and opens a folder with those above it, or says why that cannot be.
func (l *linker) makeAll(folder string) (fd int, err error) {
	if err := l.dir.MkdirAll(folder, 0o755); err != nil {
		return -1, err
	}
	f, err := l.dir.Open(folder)
	if err != nil {
		return -1, err
	}
	defer func() { _ = f.Close() }()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// link makes a symlink to source or, where there is one, to its copy, complete or not at
// all. One that leads to either is left alone, and one that leads nowhere is replaced.
func (l *linker) link(name, source, copied string) error {
	if err := l.enter(path.Dir(name)); err != nil {
		return fmt.Errorf("opening the folder of %s: %w", name, err)
	}
	base, target := path.Base(name), source
	if copied != "" {
		if _, err := os.Lstat(copied); err == nil {
			target = copied
		}
	}
	err := l.symlink(target, base)
	if errors.Is(err, os.ErrExist) {
		there, rerr := l.readlink(base)
		if rerr == nil && (there == source || there == copied) {
			return nil
		}
		if _, gone := os.Stat(there); rerr == nil && errors.Is(gone, os.ErrNotExist) {
			// To a copy that an earlier conversion left, and that nobody can read any more.
			if err = again(func() error { return unix.Unlinkat(l.open, base, 0) }); err == nil {
				err = l.symlink(target, base)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("linking %s: %w", name, err)
	}
	return nil
}

func (l *linker) symlink(target, base string) error {
	return again(func() error { return unix.Symlinkat(target, l.open, base) })
}

func (l *linker) readlink(base string) (string, error) {
	target := make([]byte, unix.PathMax)
	var n int
	err := again(func() (err error) {
		n, err = unix.Readlinkat(l.open, base, target)
		return err
	})
	return string(target[:max(n, 0)]), err
}

// again repeats a system call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
