package notify

import "time"

// Verdict is what becomes of a delivery after a try.
type Verdict struct {
	State string
	Wait  time.Duration
	Fault string
}

// Judge decides after a try that a receiver answered so.
func Judge(reason string, final bool, wanted time.Duration, try int, age time.Duration) Verdict {
	v := judge(&failure{reason: reason, final: final, wait: wanted}, try, age, false)
	return Verdict{string(v.state), v.wait, v.fault}
}

// Lease is how long a delivery is one agent's.
const Lease = lease
