package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// Exit statuses of the omero command, as omero-py's sources have them.
const (
	exitBadKey     = 11
	exitBadLogin   = 12
	exitRefused    = 42
	exitDNS        = 43
	exitOtherLogin = 44 // whatever is no other one: an unknown user, and a server in trouble
	exitViolation  = 45
	exitHQLDenied  = 54
	exitNoUser     = 13 // with sudo, where a group is named
	exitNoTerminal = 52 // a wrong password, where nobody can be asked for another
)

// refusals are how a login ends that OMERO does not grant.
var refusals = []int{exitBadLogin, exitNoUser, exitOtherLogin, exitViolation, exitNoTerminal}

// passing are texts of faults that may pass, whatever status they come with.
var passing = []string{
	"Ice.ConnectionLostException", "Ice.ConnectionRefusedException", "Ice.TimeoutException", "Ice.ConnectTimeoutException",
	"Ice.ConnectFailedException", "Ice.DNSException", "No space left on device",
	"Failed to look up domain name", "UnknownHostException",
}

// siteFaults are texts of an import that say nothing of a file: what is wrong is the site's.
var siteFaults = []string{
	"Could not create the Java Virtual Machine", "Traceback (most recent call last)", "java.lang.OutOfMemoryError",
	"You likely do not have access to the", "The server could not check the size of the file",
}

// goneTexts are what a server says of a session that has ended meanwhile.
var goneTexts = []string{"Ice.ObjectNotExistException", "RemovedSessionException", "SessionTimeoutException"}

// sessionGone reports whether a text says so.
func sessionGone(text string) bool { return holdsAny(text, goneTexts) }

// mayPass reports whether a text tells of a fault that may pass.
func mayPass(text string) bool { return holdsAny(text, passing) }

// siteFault reports whether a text of an import tells of one.
func siteFault(text string) bool { return mayPass(text) || holdsAny(text, siteFaults) }

func holdsAny(text string, faults []string) bool {
	return slices.ContainsFunc(faults, func(fault string) bool {
		// Java writes Ice.X, Python's and C++'s texts have ::Ice::X.
		return strings.Contains(text, fault) || strings.Contains(text, "::"+strings.ReplaceAll(fault, ".", "::"))
	})
}

// classed says what a run's failure means, but for imports.
func classed(doing string, err error) error {
	f, ok := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%s: %w", doing, err)
	case f.exit == exitBadKey || sessionGone(f.errors):
		return fmt.Errorf("%s: %w: %w", doing, model.ErrSessionGone, err)
	case f.exit == exitRefused || f.exit == exitDNS || mayPass(f.errors):
		return fmt.Errorf("%s: %w: %w", doing, model.ErrUnavailable, err)
	case f.exit == exitViolation || f.exit == exitHQLDenied || strings.Contains(f.errors, "SecurityViolation"):
		return &importer.Error{Reason: fmt.Sprintf("OMERO does not allow %s: %s.", doing, lastLine(f.errors)), Err: err}
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
