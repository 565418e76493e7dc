package order

import (
	"errors"
	"fmt"
)

// Class says what can be done about an error. Retry policy, exit code and
// HTTP status all read it, so an error is classified once, where it arises.
type Class int

const (
	// Broken is a defect of ours or an unforeseen condition.
	Broken Class = iota
	// Invalid is a request that cannot succeed until somebody changes it.
	Invalid
	// Denied is a request that its author is not allowed to make.
	Denied
	// Busy is a condition that passes: a retry later may succeed unchanged.
	Busy
)

// String names the class as exit-code help and logs show it.
func (c Class) String() string {
	switch c {
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	case Busy:
		return "busy"
	default:
		return "broken"
	}
}

// Error is a classified error. Reason is one sentence for the person who
// placed the order; Err, if any, is the cause, for the log.
type Error struct {
	Class  Class
	Reason string
	Err    error
}

// Errorf makes a classified error whose reason is the formatted sentence; a
// %w operand becomes its cause.
func Errorf(class Class, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: class, Reason: err.Error(), Err: errors.Unwrap(err)}
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the first classified error in err's chain, and
// Broken when there is none.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Broken
}
