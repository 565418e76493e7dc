package watcher

import (
	"hash/maphash"
	"path/filepath"
	"slices"
	"time"
)

// maxNames is how many unsettled files a folder names one by one. Beyond it the
// whole folder is listed again when the first of them is due, so that memory
// does not grow with the number of files under way.
const maxNames = 32

// node is one folder.
type node struct {
	spot
	path     string
	parent   *node // nil for the root
	children map[string]*node
	id       fileID
	hash     uint64 // of the path
	owner    uint64 // upper bits of the keys of its files, see ownerBits
	fs       filesystem
	unit     *unit            // the folder unit that the folder is or lies in
	units    map[string]*unit // units of several files here, by their main file
	stems    map[string][]*unit
	loose    []*unit // those whose companions have no stem in their names
	known    marks   // of what was taken here

	leaf    bool // a .zarr folder of a unit: watched, never listed
	parts   bool // holds the parts of a slide, see slideIndex
	watched bool
	warned  bool // its error was logged
	noted   bool // its links were logged
	queued  bool // waits to be listed
	ready   bool // its marks are there
	listed  bool // all in it was seen once
	stale   bool // it has to be listed, whatever its times say
	dead    bool
	pass    uint8 // the last pass that met it

	// What the last listing found it to be, and since when by our clock.
	times   [2]int64
	timesAt time.Duration
	firm    bool
	since   int64 // when it was first opened, ns by the wall clock

	names   map[string]struct{} // unsettled files
	all     bool                // there are too many to name
	starved bool                // and some that there was no room to remember
	control map[string]struct{} // unsettled control files; they hold back the rest

	due      time.Duration // of the next look; only while in the queue
	idle     time.Duration // no look before, so that looks take a bounded share of time
	gather   time.Duration // its settled files wait so long for others; 0 if they do not
	settled  int           // number of these files
	ripe     bool          // it has nothing to wait for but other folders
	urgent   bool          // something in it settled at once, and is not to wait
	enlisted bool          // among the unripe of its place
	queuer   int           // index in the queue, -1 if not in it
}

// kind is what a directory entry that is a file means to its rule.
type kind uint8

const (
	nothing kind = iota
	data
	control
	part   // of a folder unit
	mainly // the main file of a unit of several files
	done   // a done-marker
)

// kindOf says what a file of this name is in the folder.
func (n *node) kindOf(ig *ignore, name string) kind {
	if n.place == nil || n.leaf {
		return nothing
	}
	r := n.place.rule
	if n.isMarker(name) {
		return done
	}
	if ig.base.match(name) {
		return nothing
	}
	if r.control.match(name) {
		return control
	}
	switch {
	case r.controlOnly:
		return nothing
	case n.unit != nil:
		return part
	case r.unit == Folder || !r.wants(name):
		return nothing
	case r.unit == File:
		return data
	}
	low := lower(name)
	if f, _ := formatOf(low); f != nil && (!f.loose || len(n.loose) < maxLoose || n.units[name] != nil) {
		return mainly
	}
	if isMeta(low) || low == slideIndex || (n.parts && isSlidePart(low)) {
		return nothing
	}
	return data
}

// isMarker reports whether a file of this name in the folder is a done-marker.
func (n *node) isMarker(name string) bool {
	if n.place == nil {
		return false
	}
	_, ok := n.place.rule.marker.about(name)
	return ok
}

// quiet is the quiet time of a file of this kind in the folder.
func (n *node) quiet(k kind) tick {
	d := n.place.rule.settle
	if k == control {
		d = n.place.rule.controlSettle
	}
	return ticks(d)
}

// ticks rounds up, and one more for what the clock's own rounding hides, so
// that a quiet time is never shorter than asked for.
func ticks(d time.Duration) tick {
	return tick((d+time.Millisecond-1)/time.Millisecond) + 1 //nolint:gosec // bounded by maxSettle
}

// key is the settler's key of a file in the folder.
func (n *node) key(seed maphash.Seed, name string) uint64 {
	return n.owner | maphash.Comparable(seed, [2]uint64{n.hash, maphash.String(seed, name)})>>ownerBits
}

// markOf is the mark of a file of this kind in the folder. A control file that was
// away and is put back is another, which only the time of its change shows: nobody
// keeps its mark over a restart.
func (n *node) markOf(name string, k kind, in *info) uint64 {
	mark := in.mark(name, n.fs.inodes)
	if k == control {
		mark = max(mix(mark, uint64(in.change.Nano())), 1) //nolint:gosec // only the bits matter
	}
	return mark
}

// wait notes that a file has to be looked at again.
func (n *node) wait(name string) {
	switch {
	case n.all:
	case len(n.names) >= maxNames:
		n.all, n.names = true, nil
	default:
		if n.names == nil {
			n.names = make(map[string]struct{}, 1)
		}
		n.names[name] = struct{}{}
	}
}

// waits reports whether any file of the folder has to be looked at again.
func (n *node) waits() bool { return n.all || len(n.names) > 0 }

// expect notes an unsettled control file.
func (n *node) expect(name string) {
	if _, ok := n.control[name]; ok {
		return
	}
	if n.control == nil {
		n.control = make(map[string]struct{}, 1)
	}
	n.control[name] = struct{}{}
	if n.unit != nil {
		n.unit.controls++
	}
}

// release forgets an unsettled control file and reports whether it was one.
func (n *node) release(name string) bool {
	if _, ok := n.control[name]; !ok {
		return false
	}
	delete(n.control, name)
	if n.unit != nil {
		n.unit.controls--
	}
	return true
}

// unitMarks appends the marks that the folder keeps of its units. It is false
// while that of any is not known.
func (n *node) unitMarks(marks []uint64) (_ []uint64, all bool) {
	for _, u := range n.units {
		if u.state != offered {
			return nil, false
		}
		marks = append(marks, u.lasting())
	}
	for _, child := range n.children {
		if u := child.unit; u != nil && u.home == child {
			if u.state != offered {
				return nil, false
			}
			marks = append(marks, u.lasting())
		}
	}
	return marks, true
}

func (n *node) name() string { return filepath.Base(n.path) }

// holds reports whether an unsettled control file holds back what is in n.
func (n *node) holds() bool {
	for p := n; p != nil; p = p.parent {
		if len(p.control) > 0 {
			return true
		}
	}
	return n.unit != nil && n.unit.folder() == n && n.unit.controls > 0
}

// partOf is the unit of several files that a file of the folder is a companion
// in. It is not sure where the unit has yet to tell its companions.
func (n *node) partOf(name string) (u *unit, sure bool) {
	if u, sure = n.claimant(lower(name), false); u != nil {
		return u, sure
	}
	for child, p := n, n.parent; p != nil && child.within(&p.spot); child, p = p, p.parent {
		if len(p.units) == 0 {
			continue
		}
		if u, sure = p.claimant(lower(child.name()), true); u != nil {
			return u, sure
		}
	}
	return nil, false
}

// claimant is the unit whose companion the entry is. Who is sure goes first.
func (n *node) claimant(low string, dir bool) (found *unit, sure bool) {
	if len(n.units) == 0 {
		return nil, false
	}
	among := func(units []*unit) bool {
		for _, u := range units {
			if lower(u.main) == low {
				continue
			}
			is, may := u.owns(low, dir)
			if is || may {
				found = u
			}
			if is {
				return true
			}
		}
		return false
	}
	if among(n.loose) {
		return found, true
	}
	for stem := range stems(low) {
		if among(n.stems[stem]) {
			return found, true
		}
	}
	return found, false
}

// maxLoose bounds the units of one folder of which each is asked about each file.
const maxLoose = 1000

// enter adds a unit with a main file in the folder.
func (n *node) enter(u *unit) {
	if n.units == nil {
		n.units = make(map[string]*unit, 1)
		n.stems = make(map[string][]*unit, 1)
	}
	n.units[u.main] = u
	if u.format.loose {
		n.loose = append(n.loose, u)
	} else {
		n.stems[u.stem] = append(n.stems[u.stem], u)
	}
}

// leave takes it out again.
func (n *node) leave(u *unit) {
	delete(n.units, u.main)
	is := func(other *unit) bool { return other == u }
	n.loose = slices.DeleteFunc(n.loose, is)
	if rest := slices.DeleteFunc(n.stems[u.stem], is); len(rest) > 0 {
		n.stems[u.stem] = rest
	} else {
		delete(n.stems, u.stem)
	}
}

// spells reports whether a rule spells out the folder name below n.
func (n *node) spells(name string) bool {
	for _, c := range n.cursors {
		if comp := &c.rule.comps[n.depth]; comp.isLiteral() && comp.literal == name {
			return true
		}
	}
	return false
}
