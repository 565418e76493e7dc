package model

import "errors"

// What keeps a request from being answered, and says nothing of the request itself.
var (
	// ErrUnavailable: the server does not answer, or not as it should.
	ErrUnavailable = errors.New("OMERO is not available")
	// ErrSessionGone: the session has ended; another one has to be opened.
	ErrSessionGone = errors.New("the OMERO session has ended")
	// ErrNotFound: there is nothing of that id that the session's user can see.
	ErrNotFound = errors.New("not found in OMERO")
)

// LoginError is a login that OMERO refused.
type LoginError struct {
	Own    bool   // the importer's own account was refused, not the one that it acts for
	Vague  bool   // it may have failed for another reason than the account
	Detail string // what OMERO said; it holds no secret
}

// Error returns what OMERO said.
func (e *LoginError) Error() string {
	if e.Own {
		return "OMERO refused the importer's own account: " + e.Detail
	}
	return "OMERO refused a session for the user: " + e.Detail
}
