package explain

import (
	"fmt"
	"time"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// sighted says what a sight by itself means.
func sighted(s *watcher.Sight) (state State, reason string, left float64) {
	switch s.Standing {
	case watcher.IsIgnored:
		return Ignored, "ignored by " + s.Why, 0
	case watcher.IsUnwatched:
		return Unwatched, "no rule: " + s.Why, 0
	case watcher.IsMissing:
		return Missing, "nothing is there", 0
	case watcher.IsSettling, watcher.IsUnmeasured:
		return Settling, settling(s), s.Left.Seconds()
	case watcher.IsSettled:
		return Ready, "", 0
	default: // they have the same names
		return State(s.Standing), s.Why, 0
	}
}

func settling(s *watcher.Sight) string {
	if s.Left > 0 {
		return fmt.Sprintf("settling, %s left", roundUp(s.Left))
	}
	return "settling: " + s.Why
}

// roundUp tells a time in whole seconds, of which there is never none.
func roundUp(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	if seconds < 120 {
		return fmt.Sprintf("%d s", seconds)
	}
	return (time.Duration(seconds) * time.Second).String()
}

// fate says what becomes of a drop, by what it is now and what is recorded. What is
// still changing may be something else in the end, unless it is what was taken.
func fate(s *watcher.Sight, out *intake.Outlook) (State, string) {
	recorded := out.Record.Version > 0 && (out.Fate == intake.Taken || out.Fate == intake.Refused && out.Record.State == tracking.DropRefused)
	faulty := s.Drop.Control && out.Fate == intake.Refused // it settles in a second
	if s.Standing == watcher.IsSettling && !recorded && !faulty {
		if out.Fate == intake.Held {
			return Settling, settling(s) + ". " + out.Reason
		}
		return Settling, settling(s)
	}
	switch out.Fate {
	case intake.Taken:
		if out.Record.UUID == "" {
			return Taken, ""
		}
		return Taken, "part of the order " + out.Record.UUID
	case intake.Passed:
		if s.Drop.Control {
			return Passed, out.Reason
		}
		return Changed, out.Reason
	case intake.Refused:
		return Refused, out.Reason
	case intake.Held:
		return Held, out.Reason
	case intake.Waiting:
		if wants := wanting(out); wants != "" {
			return Waiting, wants
		}
		return Ready, ""
	default:
		return Ready, ""
	}
}

// wanting says what a manifest waits for.
func wanting(out *intake.Outlook) string {
	for _, n := range out.Named {
		if n.Fault != "" {
			return fmt.Sprintf("%q cannot be looked for: %s", n.Pattern, n.Fault)
		}
		if len(n.Paths) == 0 {
			return fmt.Sprintf("%q is not there", n.Pattern)
		}
	}
	return out.Record.Reason
}
