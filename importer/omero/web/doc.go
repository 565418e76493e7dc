// Package web is a client of OMERO.web: it opens sessions of users for the importer's own
// account, and reads, makes, annotates and names what is in OMERO as these users.
//
// What stands here of OMERO.web is taken from its sources, not tried against a live one.
//
// # Sessions and groups
//
// A session starts as one of the importer's own account, is turned into one of the user
// (su), and keeps cookies and connections of its own. OMERO.web chooses the group of the
// new session itself, the user's first one; which one it is, KeyGroup tells. All that this
// package makes and changes is in the group that was asked for, whichever that is:
// containers are made with ?group=, annotations go to the group of what they are attached
// to, and names are given after that group was made the active one.
//
// # What is tried again
//
// A request that changes something and may have been carried out is never sent again:
// only one that was not, because no connection was made, or because the server said so
// (429 or 503 with Retry-After, or a refused CSRF token). Everything else – reading,
// giving a name, logging out, all of which may happen twice – is also tried again after a
// lost connection and after 429, 502, 503 and 504. Go's own transport repeats a POST only
// when not a byte of it was written. A time-out is not tried again: the server had its time.
//
// # Errors
//
// Each is of one class: model.ErrUnavailable, model.ErrSessionGone, model.ErrNotFound,
// *model.LoginError or *importer.Error; or the context's own when it was cancelled. None
// holds a secret: bodies of answers are never quoted, and what is quoted of a message is
// searched for the password, tokens, cookies and the session's key.
//
// Redirects are never followed, proxies never used, so that credentials go to no host but
// the configured one.
package web
