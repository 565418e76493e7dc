package server

import (
	"errors"
	"fmt"
)

// Exception is an error that the server tells its clients, by its class.
type Exception struct { //nolint:errname // as Ice calls it
	Class   string
	Message string
}

func (e *Exception) Error() string { return e.Class + ": " + e.Message }

// The classes that are used.
const (
	PermissionDenied  = "Glacier2.PermissionDeniedException"
	SecurityViolation = "omero.SecurityViolation"
	Validation        = "omero.ValidationException"
	APIUsage          = "omero.ApiUsageException"
	RemovedSession    = "omero.RemovedSessionException"
	ConnectionRefused = "Ice.ConnectionRefusedException"
	DNS               = "Ice.DNSException"
	ConnectionLost    = "Ice.ConnectionLostException"
	IceTimeout        = "Ice.TimeoutException"
	ObjectNotExist    = "Ice.ObjectNotExistException"
)

func exception(class, format string, args ...any) *Exception {
	return &Exception{Class: class, Message: fmt.Sprintf(format, args...)}
}

// Is reports whether an error is an exception of a class.
func Is(err error, class string) bool {
	var e *Exception
	return errors.As(err, &e) && e.Class == class
}
