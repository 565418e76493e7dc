package repository

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// linker makes the links of one import. The folder of their day stays open for the next
// import, and one that several links follow each other into for those.
type linker struct {
	dir    *os.Root
	idle   *atomic.Pointer[os.Root] // the folder of a day that nobody works in
	day    *os.Root                 // the folder of the last link's day
	folder string                   // of the last link, in that
	open   *os.Root                 // that folder, once it has a link
}

// close ends with the last link's day.
func (l *linker) close() {
	l.leave()
	if l.day != nil {
		shut(l.idle.Swap(l.day))
		l.day = nil
	}
}

// leave ends with the last link's folder.
func (l *linker) leave() {
	shut(l.open)
	l.folder, l.open = "", nil
}

// shut closes a folder. Nothing was written.
func shut(open *os.Root) {
	if open != nil {
		_ = open.Close()
	}
}

// enter opens the folder of a day, and makes it when it is absent. One that stayed open
// may have been moved or deleted since.
func (l *linker) enter(day string) (err error) {
	at := filepath.Join(l.dir.Name(), day)
	if l.day != nil && l.day.Name() == at {
		return nil
	}
	l.close()
	if last := l.idle.Swap(nil); last != nil {
		then, gone := last.Stat(".")
		if now, err := l.dir.Stat(day); last.Name() == at && err == nil && gone == nil && os.SameFile(now, then) {
			l.day = last
			return nil
		}
		shut(last)
	}
	if err := l.dir.MkdirAll(day, 0o755); err != nil {
		return err
	}
	l.day, err = l.dir.OpenRoot(day)
	return err
}

// cutDay splits a link's name after the folder of its day: user, month and day.
func cutDay(name string) (day, rest string) {
	at := 0
	for range 3 {
		at += strings.IndexByte(name[at:], '/') + 1
	}
	return name[:max(at-1, 0)], name[at:]
}

// link makes a symlink to source or, where there is one, to its copy, complete or not at
// all. One that leads to either is left alone, and one that leads nowhere is replaced.
func (l *linker) link(name, source, copied string) error {
	day, rest := cutDay(name)
	if err := l.enter(day); err != nil {
		return fmt.Errorf("opening the folder of the day of %s: %w", name, err)
	}
	dir, base := l.day, rest
	switch folder := path.Dir(rest); {
	case folder != l.folder:
		l.leave()
		if err := dir.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("making the folder of %s: %w", name, err)
		}
		l.folder = folder
	default:
		if l.open == nil {
			open, err := dir.OpenRoot(folder)
			if err != nil {
				return fmt.Errorf("opening the folder of %s: %w", name, err)
			}
			l.open = open
		}
		dir, base = l.open, path.Base(name)
	}
	target := source
	if copied != "" {
		if _, err := os.Lstat(copied); err == nil {
			target = copied
		}
	}
	err := dir.Symlink(target, base)
	if errors.Is(err, os.ErrExist) {
		there, rerr := dir.Readlink(base)
		if rerr == nil && (there == source || there == copied) {
			return nil
		}
		if _, gone := os.Stat(there); rerr == nil && errors.Is(gone, os.ErrNotExist) {
			// To a copy that an earlier conversion left, and that nobody can read any more.
			if err = dir.Remove(base); err == nil {
				err = dir.Symlink(target, base)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("linking %s: %w", name, err)
	}
	return nil
}
