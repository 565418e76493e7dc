package server

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Login opens a session with a password. Group may be empty: then it is the
// user's default.
func (tx *Tx) Login(name, password, group string) (Session, error) {
	user, ok := tx.UserNamed(name)
	if !ok || user.Password != password {
		return Session{}, exception(PermissionDenied, "Password check failed")
	}
	return tx.open(user, group, "")
}

// Sudo opens a session for a user with the password of an admin. The account
// needs the privilege Sudo (contract, "As another user").
func (tx *Tx) Sudo(admin, password, name, group string) (Session, error) {
	sudoer, ok := tx.UserNamed(admin)
	if !ok || sudoer.Password != password {
		return Session{}, exception(PermissionDenied, "Password check failed")
	}
	return tx.SudoAs(sudoer, name, group)
}

// SudoAs opens a session for a user as an admin who is known.
func (tx *Tx) SudoAs(sudoer User, name, group string) (Session, error) {
	if !sudoer.Admin || !sudoer.Sudo {
		return Session{}, exception(SecurityViolation, "No matching roles found in [user, default] for session, required: [Sudo]")
	}
	user, ok := tx.UserNamed(name)
	switch {
	case !ok && group == "":
		return Session{}, exception(APIUsage, "Can't find default group for %s", name)
	case !ok:
		return Session{}, exception(RemovedSession, "Cannot find a user with name %s", name)
	}
	return tx.open(user, group, sudoer.Name)
}

func (tx *Tx) open(user User, group, by string) (Session, error) {
	in, err := tx.groupFor(user, group)
	if err != nil {
		return Session{}, err
	}
	now := time.Now()
	return tx.putSession(Session{
		UUID: uuid.NewString(), User: user.ID, Group: in.ID, By: by,
		Idle: tx.options.IdleTimeout, Started: now, LastUsed: now,
	}), nil
}

// groupFor is the group of a new session.
func (w *World) groupFor(user User, name string) (Group, error) {
	if name == "" {
		for _, m := range w.members.rows {
			if m.User == user.ID && m.Group != UserGroup {
				return w.Group(m.Group), nil
			}
		}
		return Group{}, exception(APIUsage, "Can't find default group for %s", user.Name)
	}
	group, ok := w.GroupNamed(name)
	if !ok {
		return Group{}, exception(APIUsage, "No such group: %s", name)
	}
	if _, ok := w.member(user.ID, group.ID); !ok && !user.Admin {
		return Group{}, exception(SecurityViolation,
			"User %d is not a member of group %d and cannot login", user.ID, group.ID)
	}
	return group, nil
}

// Join uses an open session, which counts as a use of it.
func (tx *Tx) Join(key string) (Actor, error) {
	at := tx.session(key)
	if at < 0 {
		return Actor{}, exception(PermissionDenied, "No session with uuid: %s", key)
	}
	s := tx.sessions.rows[at]
	now := time.Now()
	if s.Closed || now.Sub(s.LastUsed) > s.Idle {
		return Actor{}, exception(PermissionDenied, "No session with uuid: %s", key)
	}
	s.LastUsed = now
	tx.putSession(s)
	return Actor{Session: s, User: tx.User(s.User), Group: tx.Group(s.Group)}, nil
}

// SetIdle sets when a session ends that nobody uses. Who is no admin gets MaxIdle
// at most, without being told.
func (tx *Tx) SetIdle(key string, idle time.Duration) error {
	a, err := tx.Join(key)
	if err != nil {
		return err
	}
	if !a.User.Admin {
		if idle <= 0 {
			return exception(SecurityViolation, "non-admin-disabling")
		}
		idle = min(idle, MaxIdle)
	}
	a.Session.Idle = idle
	tx.putSession(a.Session)
	return nil
}

// CloseSession ends a session.
func (tx *Tx) CloseSession(key string) {
	if at := tx.session(key); at >= 0 {
		s := tx.sessions.rows[at]
		s.Closed = true
		tx.putSession(s)
	}
}

// CloseSessions ends all sessions.
func (tx *Tx) CloseSessions() {
	for _, s := range tx.sessions.rows {
		tx.CloseSession(s.UUID)
	}
}

func (w *World) session(key string) int {
	return slices.IndexFunc(w.sessions.rows, func(s Session) bool { return s.UUID == key })
}
