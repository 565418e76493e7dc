package preprocess

import "errors"

// Error is a failure that repeating the request unchanged will not mend.
// Reason is one sentence for the person who asked.
type Error struct {
	Reason string
	Err    error
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrUnavailable says that nothing runs containers now: no order is to blame, and
	// those that need it wait.
	ErrUnavailable = errors.New("podman is not available")
	// ErrBusy says that somebody else is at the same input at the moment.
	ErrBusy = errors.New("another agent works on this input")
	// ErrCancelled is to be the cause of a context that ends because nobody wants the
	// result any more: the container is then killed and removed. Where a context ends
	// for another cause, it is left to a later run.
	ErrCancelled = errors.New("the conversion was cancelled")
)
