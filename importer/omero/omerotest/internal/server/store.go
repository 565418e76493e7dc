package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Store is the server's folder, opened. Processes and goroutines may use it at
// the same time; a process may be killed at any instant.
//
// The journal is a file of JSON lines, each a change that happened as a whole.
// It is only ever appended to, under a lock. Half a line at its end is what
// a killed process left; it never happened.
type Store struct {
	mu      sync.Mutex
	journal *os.File
	fd      int
	size    int64 // of the journal
	offset  int64 // of what is not yet in world
	world   *World
}

// Open opens a folder, which has to exist.
func Open(dir string) (*Store, error) {
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller's folder
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return &Store{journal: journal, fd: int(journal.Fd()), world: newWorld()}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.journal.Close() }

// View shows the world to read, which must not be kept.
func (s *Store) View(read func(w *World)) error {
	return s.locked(func() error {
		read(s.world)
		return nil
	})
}

// Tx is a change in the making.
type Tx struct {
	*World
	change change
}

// Update makes a change, as a whole; none if write fails.
func (s *Store) Update(write func(tx *Tx) error) error {
	return s.locked(func() error {
		tx := &Tx{World: s.world}
		if err := write(tx); err != nil {
			s.world, s.offset = newWorld(), 0 // to be read again
			return err
		}
		return s.append(&tx.change)
	})
}

// locked runs do with the journal locked and read to its end.
func (s *Store) locked(do func() error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		err = unix.Flock(s.fd, unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("locking the journal: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Flock(s.fd, unix.LOCK_UN)) }()
	if err := s.catchUp(); err != nil {
		return err
	}
	return do()
}

// catchUp reads what others appended.
func (s *Store) catchUp() error {
	info, err := s.journal.Stat()
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	s.size = info.Size()
	if s.size == s.offset {
		return nil
	}
	rest := make([]byte, s.size-s.offset)
	if _, err := s.journal.ReadAt(rest, s.offset); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the journal: %w", err)
	}
	for {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole {
			break
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		s.world.apply(&c)
		s.offset += int64(len(line)) + 1
		rest = after
	}
	return nil
}

// append writes a change over what a killed process may have left half written.
func (s *Store) append(c *change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	if string(line) == "{}" {
		return nil
	}
	if s.size > s.offset {
		if err := s.journal.Truncate(s.offset); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
	}
	n, err := s.journal.WriteAt(append(line, '\n'), s.offset)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	s.offset += int64(n)
	return nil
}
