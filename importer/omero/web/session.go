package web

import (
	"context"
	"fmt"
	"sync"

	"biomero-importer/importer/omero/model"
)

// Session is one of a user who works in one group. It may be used by several at once, and
// has to be closed.
type Session struct {
	talk     *talk
	making   chan struct{}
	key      string
	userID   int64
	groupID  int64
	keyGroup string

	mu     sync.Mutex
	closed bool
}

// Key returns the key of the session, with which others may join it. It is a secret.
func (s *Session) Key() string { return s.key }

// KeyGroup returns the name of the group in which those work who join with the key: the
// user's first one, which need not be that of this session.
func (s *Session) KeyGroup() string { return s.keyGroup }

// Close ends the session for all who joined it. It may be called again, and does nothing
// then unless it failed.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.talk.leave(ctx); err != nil {
		return fmt.Errorf("close a session of OMERO.web: %w", err)
	}
	s.closed = true
	return nil
}

// still tells whether the session is alive. Where one has ended, a site may let its public
// user read instead, to whom most things do not exist.
func (s *Session) still(ctx context.Context) error {
	who, err := s.talk.who(ctx)
	if err == nil && who.SessionUUID != s.key {
		err = model.ErrSessionGone
	}
	return err
}
