package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX

	lockRetry = 20 * time.Millisecond
)

// fileLock is a lock that the kernel lets go of when its holder dies.
type fileLock struct{ file *os.File }

// acquire waits for the lock until ctx ends, trying at least once.
func acquire(ctx context.Context, path string, how int) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // a path of ours
	if err != nil {
		return nil, fmt.Errorf("opening a lock of the embedded database: %w", err)
	}
	tick := time.NewTicker(lockRetry)
	defer tick.Stop()
	for {
		free, err := try(file, how)
		switch {
		case err != nil:
			return nil, errors.Join(err, file.Close())
		case free:
			return &fileLock{file}, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for another agent's hold of %s: %w", path, ctx.Err()), file.Close())
		case <-tick.C:
		}
	}
}

func try(file *os.File, how int) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("locking %s: %w", file.Name(), err)
		}
	}
}

// onlyHolder turns a shared lock into an exclusive one if nobody else has it.
// If somebody has, the lock may be lost: release is all that is left to do.
func (l *fileLock) onlyHolder() (bool, error) { return try(l.file, exclusive) }

// release unlocks before it closes: a child that is just being forked still
// has a copy of the descriptor, which would keep the lock for a moment.
func (l *fileLock) release() error {
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	if err = errors.Join(err, l.file.Close()); err != nil {
		return fmt.Errorf("unlocking %s: %w", l.file.Name(), err)
	}
	return nil
}
