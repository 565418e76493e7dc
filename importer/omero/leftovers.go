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

// newFolder makes a folder for this process.
func (b *Backend) newFolder() (*folder, error) {
	lock, err := os.CreateTemp(b.config.Dir, "*"+lockSuffix)
	if err != nil {
		return nil, fmt.Errorf("making a folder for sessions: %w", err)
	}
	f := &folder{path: strings.TrimSuffix(lock.Name(), lockSuffix), lock: lock}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = os.Mkdir(f.path, 0o700)
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("making the folder %s for sessions: %w", f.path, err)
	}
	return f, nil
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
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			f := folder{path: strings.TrimSuffix(name, lockSuffix), lock: lock}
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
