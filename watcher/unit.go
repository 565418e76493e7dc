package watcher

import (
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// unit is a folder, or a main file with its companions, that is one drop. There
// are few enough of them to be remembered each with its path.
type unit struct {
	home *node // the folder itself, or the one that the main file lies in
	main string
	// format and stem are those of the main file.
	format *format
	stem   string
	// members are the names in lower case that a walk looked at, where names alone
	// do not tell, and whether they are companions.
	members map[string]bool

	state    state
	idle     bool          // pending, but nothing to do before the next event or scan
	placed   bool          // it was moved here complete
	since    time.Duration // when its state was first seen, or last disturbed
	next     time.Duration // no walk before
	seq      uint64        // counts disturbances
	walked   bool          // sum is of a walk since it became pending
	walking  bool
	hurried  bool // its done-marker was seen during a walk, which may have missed it
	told     bool // what it waits for was logged
	trail    trail
	head     uint64 // digest of the main file when it was last seen
	sum      measure
	taken    measure // what was handed over last
	surface  uint64  // see shallow
	controls int     // unsettled control files in it
}

// folder is the node that is the unit; nil for one with a main file.
func (u *unit) folder() *node {
	if u.main != "" {
		return nil
	}
	return u.home
}

func (u *unit) path() string {
	if u.main != "" {
		return join(u.home.path, u.main)
	}
	return u.home.path
}

// keeper is the folder that knows whether the unit was taken.
func (u *unit) keeper() *node {
	if u.main != "" || u.home.parent == nil {
		return u.home
	}
	return u.home.parent
}

// owns reports whether an entry beside the main file is a companion, or may be
// one, which the next walk finds out.
func (u *unit) owns(low string, dir bool) (is, may bool) {
	if is, looked := u.members[low]; looked {
		return is, false
	}
	test := u.format.file
	if dir {
		test = u.format.folder
	}
	if test == nil || !test(u.stem, low) {
		return false, false
	}
	return u.format.exact(), true
}

// measure is the outcome of a walk through a unit. Its sums do not depend on the
// order of the files.
type measure struct {
	digest uint64 // changes with anything
	mark   uint64 // of names, sizes and times: the same after a restart
	shape  uint64 // of names and sizes: the same in a copy
	count  int
	size   int64
	newest unix.Timespec // of the contents' times
	change int64         // the newest change of a file, ns by the file server
}

// disturb notes that something in the unit changed, or may have.
func (u *unit) disturb(now time.Duration) {
	u.seq++
	u.since = now
	u.next = now + u.home.place.rule.settle
	u.idle = false
	u.placed = false
	u.told = false
	if u.state != pending {
		u.state = pending
		u.walked = false
	}
}

// accept notes that the sink took the unit with this measure.
func (u *unit) accept(m *measure) {
	u.taken = *m
	if u.state == inflight && u.sum == *m {
		u.state = offered
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

// weigh judges a finished walk that started when the unit's seq was as given. A
// unit that is said to be complete need not be quiet; a walk that tells enough need
// not be compared with another.
func (u *unit) weigh(m measure, seq uint64, now, quiet time.Duration, complete, tells bool) outcome {
	if m.count == 0 {
		u.sum, u.walked = m, true
		return unitEmpty
	}
	same := tells || (u.walked && u.sum == m)
	u.sum, u.walked = m, true
	if !same {
		u.since = now
	}
	switch {
	case seq != u.seq:
		return unitWaits
	case m.mark == u.taken.mark && (complete || now-u.since >= quiet):
		return unitSame
	case complete, same && now-u.since >= quiet:
		return unitSettled
	default:
		return unitWaits
	}
}

// surfaces are an OME-Zarr and the files at its top that change with its content.
var surfaces = []string{"", ".zattrs", ".zgroup", ".zarray", ".zmetadata", "zarr.json"}

// shallow condenses the top of a .zarr folder, so that a scan need not walk
// through the chunks of one that was handed over.
func shallow(f *folder, name string, fs filesystem) uint64 {
	sum := xxhash.Sum64String(name)
	for _, file := range surfaces {
		if in, err := f.look(file); err == nil {
			sum = mix(sum, in.mark(file, fs.inodes))
		}
	}
	return max(sum, 1)
}
