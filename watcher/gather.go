package watcher

import "time"

// gatherShare is the part of a quiet time that settled files wait for others of
// the same place to settle, at most, so that what was copied together is handed
// over together.
const (
	gatherShare = 3
	maxGather   = 10 * time.Second
)

// gathering is what a place knows of the folders that wait for each other.
type gathering struct {
	unripe  int           // queued ones with files that have yet to settle
	waiting []*node       // those with files that have settled
	files   int           // in these
	until   time.Duration // the end of the wait
}

// waitUntil is the end of the wait that is on, or that begins now.
func (p *place) waitUntil(now time.Duration) time.Duration {
	if p.until <= now {
		p.until = now + min(p.rule.settle/gatherShare, maxGather)
	}
	return p.until
}

// enlist counts a folder that is queued; dismiss when it leaves the queue.
func (n *node) enlist() {
	if n.place != nil && !n.ripe && n.waits() && !n.enlisted {
		n.enlisted = true
		n.place.unripe++
	}
}

func (n *node) dismiss() {
	if n.enlisted {
		n.enlisted = false
		n.place.unripe--
	}
}

// gathered ends the folder's wait.
func (n *node) gathered() {
	if n.place != nil {
		n.place.files -= n.settled
	}
	n.settled, n.gather, n.ripe, n.urgent = 0, 0, false, false
}

// postpone puts off the files that are due if others, of the folder or of its
// place, are likely to be soon, and reports whether it does. More than a batch
// does not wait: it would not go together anyway.
func (r *round) postpone() bool {
	n, p, now := r.node, r.node.place, r.now()
	if n.urgent || len(r.files) == 0 || len(r.files) >= r.room {
		return false
	}
	until := n.gather
	if until == 0 {
		until = p.waitUntil(now)
	}
	p.files += len(r.files) - n.settled
	n.settled = len(r.files)
	n.ripe = r.next > until
	if now >= until || p.files >= maxBatch || (n.ripe && p.unripe == 0) {
		r.gathered(p)
		return false
	}
	if n.gather == 0 {
		p.waiting = append(p.waiting, n)
	}
	n.gather = until
	for _, name := range r.files {
		n.wait(name)
	}
	r.files = nil
	r.next = min(until, r.control)
	if !n.ripe {
		r.next = min(r.next, r.last)
	}
	return true
}

// gathered ends the wait in all of a place.
func (l *loop) gathered(p *place) {
	now := l.now()
	for _, n := range p.waiting {
		if n.gather > 0 {
			n.gather = now
			l.queue.schedule(n, now)
		}
	}
	p.waiting, p.until = nil, now
}
