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

// share is how many times as long as it took a full listing has to wait for the
// next one, so that a large busy folder costs a bounded part of the time.
const share = 20

// saw takes a look at a file that has or may have changed.
func (l *loop) saw(n *node, name string, k kind, in *info, now tick, why how) {
	v := l.settler.see(key(l.seed, n.hash, name), in.digest(l.seed), now, n.quiet(k), why)
	if !v.waiting && !v.settled {
		return
	}
	if k == control {
		n.expect(name)
	}
	n.wait(name)
	l.queue.schedule(n, l.now()+millis(v.wait))
}

func millis(t tick) time.Duration { return time.Duration(t) * time.Millisecond }

// look sees what has settled in a folder that is due.
func (l *loop) look(ctx context.Context, n *node) {
	if u := n.unit; u != nil && u.top == n {
		l.lookUnit(u)
	}
	if !n.waits() {
		return
	}
	f, err := openFolder(n.root, n.path)
	if err != nil {
		l.unreadable(ctx, n, err)
		l.queue.schedule(n, l.now()+retryAfter)
		return
	}
	defer f.close()

	began, full := l.now(), n.all
	r := &round{loop: l, node: n, folder: f, next: never, room: l.room()}
	if err := r.collect(); err != nil {
		l.unreadable(ctx, n, err)
	}
	if now := l.now(); full && r.next > now { // else there is more to hand over
		n.idle = now + share*(now-began)
	}
	for _, name := range r.controls {
		r.release(name, control)
	}
	if r.held = n.holds(); r.held && len(r.files) > 0 {
		l.held[n] = struct{}{}
	}
	for _, name := range r.files {
		r.release(name, data)
	}
	if r.next != never && n.waits() {
		l.queue.schedule(n, r.next)
	}
	if r.freed {
		l.wake()
	}
}
