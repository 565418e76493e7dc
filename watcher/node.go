package watcher

import (
	"container/heap"
	"hash/maphash"
	"time"
)

// maxNames is how many unsettled files a folder names one by one. Beyond it the
// whole folder is listed again when the first of them is due, so that memory
// does not grow with the number of files under way.
const maxNames = 32

// node is one watched folder.
type node struct {
	spot
	path     string
	root     string
	parent   *node // nil for a root
	children map[string]*node
	id       fileID
	hash     uint64
	unit     *unit // the folder unit that the folder is or lies in
	leaf     bool  // a .zarr folder of a unit: watched, never listed
	watched  bool
	warned   bool // its error was logged
	noted    bool // its links were logged
	queued   bool // waits to be listed
	dead     bool
	gen      uint8 // the last full scan that met it

	names   map[string]struct{} // unsettled files
	all     bool                // there are too many to name
	control map[string]struct{} // unsettled control files; they hold back the rest

	due    time.Duration // of the next look; only while in the queue
	idle   time.Duration // no look before, so that looks take a bounded share of time
	queuer int           // index in the queue, -1 if not in it
}

// kind is what a directory entry that is a file means to its rule.
type kind uint8

const (
	nothing kind = iota
	data
	control
	part // of a folder unit
)

// kindOf says what a file of this name is in the folder.
func (n *node) kindOf(ig *ignore, name string) kind {
	switch {
	case n.place == nil || n.leaf || ig.base.match(name):
		return nothing
	case n.place.rule.control.match(name):
		return control
	case n.place.rule.controlOnly:
		return nothing
	case n.unit != nil:
		return part
	case n.place.rule.unit == Folder || !n.place.rule.wants(name):
		return nothing
	default:
		return data
	}
}

// counts reports whether a file or folder of this name may be a drop that is
// not complete, so that renaming it says nothing about what is in it.
func (n *node) counts(ig *ignore, name string) bool {
	return n.kindOf(ig, name) != nothing || (n.place != nil && n.place.rule.unit == Folder) || isZarr(name)
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
func key(seed maphash.Seed, folder uint64, name string) uint64 {
	return maphash.Comparable(seed, [2]uint64{folder, maphash.String(seed, name)})
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

// queue orders nodes by when they are due.
type queue []*node

var _ heap.Interface = (*queue)(nil)

func (q *queue) Len() int           { return len(*q) }
func (q *queue) Less(i, j int) bool { return (*q)[i].due < (*q)[j].due }
func (q *queue) Swap(i, j int) {
	s := *q
	s[i], s[j] = s[j], s[i]
	s[i].queuer, s[j].queuer = i, j
}

func (q *queue) Push(x any) {
	if n, ok := x.(*node); ok {
		n.queuer = len(*q)
		*q = append(*q, n)
	}
}

func (q *queue) Pop() any {
	s := *q
	n := s[len(s)-1]
	s[len(s)-1] = nil
	*q = s[:len(s)-1]
	n.queuer = -1
	return n
}

// schedule makes the node due at a time, unless it is due earlier.
func (q *queue) schedule(n *node, at time.Duration) {
	at = max(at, n.idle)
	switch {
	case n.dead:
	case n.queuer < 0:
		n.due = at
		heap.Push(q, n)
	case at < n.due:
		n.due = at
		heap.Fix(q, n.queuer)
	}
}

// next removes and returns a node that is due.
func (q *queue) next(now time.Duration) (*node, bool) {
	if len(*q) == 0 || (*q)[0].due > now {
		return nil, false
	}
	n, ok := heap.Pop(q).(*node)
	return n, ok
}

func (q *queue) remove(n *node) {
	if n.queuer >= 0 {
		heap.Remove(q, n.queuer)
	}
}
