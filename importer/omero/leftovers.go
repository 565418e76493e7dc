package omero

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"biomero-importer/importer/omero/model"
)

// folder holds the sessions of one process, for as long as it has its lock.
type folder struct {
	path string
	lock *os.File // path with lockSuffix
}

const lockSuffix = ".lock"

// newFolder makes a folder for this process. Another that starts may take the lock for one
// that was left, before this process has it, and remove it: then it makes the next.
func (b *Backend) newFolder() (*folder, error) {
	for {
		lock, err := os.CreateTemp(b.config.Dir, "*"+lockSuffix)
		if err != nil {
			return nil, fmt.Errorf("making a folder for sessions: %w", err)
		}
		f := folderOf(lock)
		err = f.hold()
		if err == nil {
			err = os.Mkdir(f.path, 0o700)
		}
		if err == nil {
			return f, nil
		}
		_ = lock.Close()
		if !errors.Is(err, errHeld) {
			return nil, fmt.Errorf("making the folder %s for sessions: %w", f.path, err)
		}
	}
}

func folderOf(lock *os.File) *folder {
	return &folder{path: strings.TrimSuffix(lock.Name(), lockSuffix), lock: lock}
}

// errHeld says that another process has a lock, or had it and removed it.
var errHeld = errors.New("another process holds it")

// hold takes the lock, which nobody else removes then.
func (f *folder) hold() error {
	err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errHeld
	}
	if err != nil {
		return err
	}
	mine, err := f.lock.Stat()
	if err != nil {
		return err
	}
	seen, err := os.Stat(f.lock.Name())
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(mine, seen) {
		return errHeld
	}
	return err
}

func (f *folder) remove() error {
	return errors.Join(os.RemoveAll(f.path), os.Remove(f.lock.Name()), f.lock.Close())
}

// endLeftovers ends the sessions of processes that are gone.
func (b *Backend) endLeftovers(ctx context.Context) {
	locks, err := filepath.Glob(filepath.Join(b.config.Dir, "*"+lockSuffix))
	if err != nil {
		return
	}
	for _, name := range locks {
		lock, err := os.Open(name) //nolint:gosec // ours
		if err != nil {
			continue // somebody else ends them
		}
		f := folderOf(lock)
		if f.hold() == nil {
			b.logout(ctx, f.path)
			if err := f.remove(); err != nil {
				b.log.WarnContext(ctx, "a folder of sessions stays", slog.Any("error", err))
			}
			continue
		}
		_ = lock.Close()
	}
}

// logout ends the sessions of a folder.
func (b *Backend) logout(ctx context.Context, path string) {
	dirs, err := os.ReadDir(path)
	if err != nil {
		return // it was not made any more
	}
	for _, dir := range dirs {
		b.leave(ctx, filepath.Join(path, dir.Name()))
	}
}

// leave ends the session that the command line keeps in dir, where it was cut off. What
// cannot be ended now ends by itself when it is idle.
func (b *Backend) leave(ctx context.Context, dir string) {
	if kept, err := os.ReadDir(dir); err == nil && len(kept) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := b.cli.Logout(ctx, dir); err != nil && !errors.Is(err, model.ErrSessionGone) {
		b.log.WarnContext(ctx, "an OMERO session stays until it is idle", slog.Any("error", err))
	}
}
