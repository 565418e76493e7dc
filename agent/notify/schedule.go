package notify

import (
	"cmp"
	"errors"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/tracking"
)

// A delivery is tried again after ten seconds, and then after pauses that double up to an
// hour, for a day after its order ended.
const (
	firstWait   = 10 * time.Second
	longestWait = time.Hour
	patience    = 24 * time.Hour
)

// maxFault bounds what is kept of a fault, in characters: it may hold what a receiver wrote.
const maxFault = 300

// failure is why a try was in vain, in words without secrets.
type failure struct {
	reason string
	final  bool          // another try is not wanted
	wait   time.Duration // what the receiver wants to be waited; 0: nothing is known
	cause  error         // without secrets, if it matters
}

func (f *failure) Error() string { return f.reason }

func (f *failure) Unwrap() error { return f.cause }

// verdict is what becomes of a delivery after a try.
type verdict struct {
	state tracking.DeliveryState
	wait  time.Duration
	fault string
}

// judge decides after a try, counted from 1, at something that ended so long ago.
// Interrupted says that the service was told to stop meanwhile.
func judge(err error, try int, age time.Duration, interrupted bool) verdict {
	f, known := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return verdict{state: tracking.DeliveryMade}
	case interrupted:
		return verdict{state: tracking.DeliveryDue, fault: "The service was stopped meanwhile."}
	case !known:
		f = &failure{reason: err.Error()}
	}
	left, reason := patience-age, message.Plain(f.reason, maxFault)
	if f.final || left <= 0 {
		return verdict{state: tracking.DeliveryGivenUp, fault: reason}
	}
	wait := cmp.Or(f.wait, retryablehttp.DefaultBackoff(firstWait, longestWait, try-1, nil))
	return verdict{state: tracking.DeliveryDue, wait: min(wait, left), fault: reason} // once more at the end
}
