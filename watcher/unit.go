package watcher

import (
	"hash/maphash"
	"time"

	"golang.org/x/sys/unix"
)

// unit is a folder that is one drop with everything in it. There are few enough
// of them to be remembered each with its path.
type unit struct {
	top      *node
	state    state
	idle     bool          // pending, but empty: nothing to do before the next event
	placed   bool          // it was moved here complete
	since    time.Duration // when its state was first seen, or last disturbed
	next     time.Duration // no walk before
	seq      uint64        // counts disturbances
	walked   bool          // sum is of a walk since it became pending
	walking  bool
	sum      measure
	taken    measure // what was handed over last
	surface  uint64  // see shallow
	controls int     // unsettled control files in it
}

// measure is the outcome of a walk through a folder unit.
type measure struct {
	digest uint64 // independent of the order of the files
	count  int
	size   int64
	newest unix.Timespec
}

// disturb notes that something in the unit changed, or may have.
func (u *unit) disturb(now time.Duration) {
	u.seq++
	u.since = now
	u.next = now + u.top.place.rule.settle
	u.idle = false
	u.placed = false
	if u.state != pending {
		u.state = pending
		u.walked = false
	}
}

// outcome is what a walk means for its unit.
type outcome uint8

const (
	unitSettled outcome = iota
	unitWaits           // look again after the quiet time
	unitEmpty           // no drop before something appears in it
	unitSame            // as it was handed over
)

// weigh judges a finished walk that started when the unit's seq was as given.
func (u *unit) weigh(m measure, seq uint64, now, quiet time.Duration) outcome {
	if m.count == 0 {
		u.sum, u.walked, u.idle = m, true, true
		return unitEmpty
	}
	same := u.walked && u.sum == m
	u.sum, u.walked = m, true
	if !same {
		u.since = now
	}
	switch {
	case seq != u.seq:
		return unitWaits
	case m == u.taken && now-u.since >= quiet:
		return unitSame
	case u.placed, same && now-u.since >= quiet:
		return unitSettled
	default:
		return unitWaits
	}
}

// surfaces are the files at the top of an OME-Zarr that change with its content.
var surfaces = []string{"", ".zattrs", ".zgroup", ".zarray", ".zmetadata", "zarr.json"}

// shallow condenses the top of a .zarr folder, so that a scan need not walk
// through the chunks of one that was handed over.
func shallow(seed maphash.Seed, f *folder) uint64 {
	var sum uint64
	for _, name := range surfaces {
		if in, err := f.look(name); err == nil {
			sum += in.digest(seed)
		}
	}
	return sum
}
