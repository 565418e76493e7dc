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

// link makes a symlink to target, complete or not at all.
func (l *linker) link(name, target string) error {
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
	err := dir.Symlink(target, base)
	if errors.Is(err, os.ErrExist) {
		if there, rerr := dir.Readlink(base); rerr == nil && there == target {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("linking %s: %w", name, err)
	}
	return nil
}
