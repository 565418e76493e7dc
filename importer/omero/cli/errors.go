package cli

import (
	"errors"
	"fmt"
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
	exitOtherLogin = 44
	exitViolation  = 45
	exitHQLDenied  = 54
)

// passing are texts of faults that may pass, whatever status they come with.
var passing = []string{
	"Ice.ConnectionLostException", "Ice.ConnectionRefusedException", "Ice.TimeoutException", "Ice.ConnectTimeoutException",
	"Ice.ConnectFailedException", "Ice.DNSException", "No space left on device",
	"Failed to look up domain name", "UnknownHostException",
}

// sessionGone is what a server says of a session that has ended meanwhile.
const sessionGone = "Ice.ObjectNotExistException"

// mayPass reports whether a text tells of a fault that may pass.
func mayPass(text string) bool {
	for _, fault := range passing {
		// Java writes Ice.X, Python's and C++'s texts have ::Ice::X.
		if strings.Contains(text, fault) || strings.Contains(text, "::"+strings.ReplaceAll(fault, ".", "::")) {
			return true
		}
	}
	return false
}

// classed says what a run's failure means, but for imports.
func classed(doing string, err error) error {
	f, ok := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%s: %w", doing, err)
	case f.exit == exitBadKey || strings.Contains(f.errors, sessionGone):
		return fmt.Errorf("%s: %w: %w", doing, model.ErrSessionGone, err)
	case f.exit == exitRefused || f.exit == exitDNS || mayPass(f.errors):
		return fmt.Errorf("%s: %w: %w", doing, model.ErrUnavailable, err)
	case f.exit == exitViolation || f.exit == exitHQLDenied || strings.Contains(f.errors, "SecurityViolation"):
		return &importer.Error{Reason: fmt.Sprintf("OMERO does not allow %s: %s.", doing, lastLine(f.errors)), Err: err}
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
