package preprocess

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock is held until its file is closed, also by death.
func lock(dir *os.Root) (*os.File, error) {
	f, err := dir.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	// Where there are no locks, whoever calls has to see to it that nobody else does.
	if errors.Is(err, unix.EWOULDBLOCK) || !isAt(f, dir) {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", f.Name(), ErrBusy), f.Close())
	}
	return f, nil
}

// isAt reports whether a lock is still that of its folder: somebody who held it may have
// removed both meanwhile, and others may have the next one.
func isAt(f *os.File, dir *os.Root) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := dir.Lstat(lockFile)
	return err == nil && os.SameFile(have, there)
}

// unlock does not leave it to closing: a process that is just being started somewhere in
// this one has the file too, for a moment.
func unlock(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close() // nothing was written
}
