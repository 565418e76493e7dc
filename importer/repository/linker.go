package repository

import (
	"errors"
	"fmt"
	"os"
	"path"
)

// linker makes the links of one import. A folder that several follow each other into
// is found once and stays open for them.
type linker struct {
	dir    *os.Root
	folder string   // of the last link
	open   *os.Root // that folder, once it has a link
}

func (l *linker) close() {
	if l.open != nil {
		_ = l.open.Close() // nothing was written
	}
	l.open = nil
}

// link makes a symlink to source or, where there is one, to its copy, complete or not at
// all. One that leads to either is left alone, and one that leads nowhere is replaced.
func (l *linker) link(name, source, copied string) error {
	dir, base := l.dir, name
	switch folder := path.Dir(name); {
	case folder != l.folder:
		l.close()
		if err := l.dir.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("making the folder of %s: %w", name, err)
		}
		l.folder = folder
	default:
		if l.open == nil {
			open, err := l.dir.OpenRoot(folder)
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
