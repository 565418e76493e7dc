package watcher

import (
	"context"
	"math"
	"time"
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// retryAfter is the pause after something could not be read.
const retryAfter = 30 * time.Second

// restShare is how many times as long as it took a full listing, or a walk
// through a unit, has to wait for the next one, so that a large busy folder
// costs a bounded part of the time.
const restShare = 20

// saw takes a look at a file that has or may have changed, and says whether it
// is known as taken, by which mark.
func (l *loop) saw(n *node, f *folder, name string, k kind, in *info, now tick, why how) (mark uint64, known bool) {
	mark = n.markOf(name, k, in)
	// A control file that an event speaks of may have been away, and counts then.
	if n.known.has(mark) && (k != control || why == glanced) {
		return mark, true
	}
	if k == data && n.place.rule.marker.marks(f, name, in.change.Nano()) {
		why = placed
	}
	see := l.settler.see
	if k == control {
		see = l.settler.remember
	}
	v := see(n.key(l.seed, name), in.digest(), now, n.quiet(k), why)
	if !v.waiting && !v.settled {
		return mark, false
	}
	if k == control {
		n.expect(name)
	}
	if v.full {
		n.starved = true
	} else {
		n.wait(name)
	}
	if why == placed {
		n.urgent = true
	}
	l.queue.schedule(n, l.now()+millis(v.wait))
	return mark, false
}

func millis(t tick) time.Duration { return time.Duration(t) * time.Millisecond }

// look sees what has settled in a folder that is due.
func (l *loop) look(ctx context.Context, n *node) {
	l.lookUnits(n)
	if n.starved {
		n.starved, n.stale = false, true
		l.list(n)
	}
	if !n.waits() {
		return
	}
	if !n.listed { // what else is in it decides what a file is
		l.queue.schedule(n, l.now()+minBackoff)
		return
	}
	f, err := l.open(n.path)
	if err != nil {
		l.unreadable(ctx, n, err)
		l.queue.schedule(n, l.now()+retryAfter)
		return
	}
	defer f.close()

	began, full := l.now(), n.all
	r := &round{loop: l, node: n, folder: f, next: never, control: never, room: l.room()}
	if err := r.collect(); err != nil {
		l.unreadable(ctx, n, err)
	}
	if now := l.now(); full && r.next > now && !r.more {
		n.idle = now + restShare*(now-began)
	}
	if !r.postpone() {
		n.gathered()
	}
	for _, name := range r.controls {
		r.release(name, control)
	}
	if r.held = n.holds(); r.held && len(r.files) > 0 {
		l.held[n] = struct{}{}
	}
	before := l.count()
	for _, name := range r.files {
		r.release(name, data)
	}
	switch {
	case !r.more:
	case l.count() > before:
		r.again(l.now())
	default: // as if held back: the same ones would come first again
		r.again(l.now() + recheck)
	}
	if r.next != never && n.waits() {
		l.queue.schedule(n, r.next)
	}
	if r.freed {
		l.wake()
	}
}
