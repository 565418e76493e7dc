package watcher

import (
	"context"
	"log/slog"
	"time"
)

// disturb notes an event in a unit.
func (l *loop) disturb(u *unit) {
	u.disturb(l.now())
	l.queue.schedule(u.top, u.next)
}

// verify compares a unit that a scan met with what was handed over.
func (l *loop) verify(u *unit, f *folder) {
	if u.top.leaf {
		surface := shallow(l.seed, f)
		changed := surface != u.surface && u.surface != 0
		u.surface = surface
		if changed {
			l.disturb(u)
			return
		}
	}
	switch {
	case u.state == pending && u.idle:
		u.idle = false
		u.next = l.now()
		l.queue.schedule(u.top, u.next)
	case u.state == offered && !u.top.leaf:
		l.measure(u)
	}
}

// lookUnit asks for the measure of a unit that is due.
func (l *loop) lookUnit(u *unit) {
	switch {
	case u.state != pending || u.idle || u.walking:
	case l.now() < u.next:
		l.queue.schedule(u.top, u.next)
	case u.top.holds():
		l.held[u.top] = struct{}{}
	default:
		l.measure(u)
	}
}

// measure puts a unit on the walker's list.
func (l *loop) measure(u *unit) {
	if u.walking {
		return
	}
	u.walking = true
	l.walks = append(l.walks, walkJob{
		unit: u, seq: u.seq, root: u.top.root, path: u.top.path, rule: u.top.place.rule, all: u.top.place.rule.unit != Folder,
	})
}

func (l *loop) sendWalk() {
	if !l.walking && len(l.walks) > 0 {
		l.walking = true
		l.jobs <- l.walks[0] // never blocks: it has room for one, and the one before came back
		l.walks = l.walks[1:]
	}
}

// walked takes the measure of a unit.
func (l *loop) walked(ctx context.Context, done *walkDone) {
	l.walking = false
	u, now := done.unit, l.now()
	u.walking = false
	n := u.top
	if n.dead {
		return
	}
	quiet := n.place.rule.settle
	if done.err != nil {
		l.unreadable(ctx, n, done.err)
		u.next = now + retryAfter
		l.queue.schedule(n, u.next)
		return
	}
	if u.state != pending {
		if done.measure != u.taken && u.state == offered {
			l.log.DebugContext(ctx, "a folder changed after it was handed over", slog.String("folder", n.path))
			u.disturb(now)
			u.sum, u.walked = done.measure, true
			l.queue.schedule(n, u.next)
		}
		return
	}
	switch u.weigh(done.measure, done.seq, now, quiet) {
	case unitSettled:
		l.releaseUnit(u, now)
	case unitSame:
		u.state = offered
	case unitWaits:
		u.next = max(u.since+quiet, now+share*done.took)
		l.queue.schedule(n, u.next)
	case unitEmpty:
	}
}

func (l *loop) releaseUnit(u *unit, now time.Duration) {
	n := u.top
	if n.holds() {
		l.held[n] = struct{}{}
		u.next = now
		return
	}
	u.state = inflight
	in := info{id: n.id, size: u.sum.size, mod: u.sum.newest}
	drop := n.drop(n.path, &in, false)
	drop.IsDir = true
	l.add(now, item{node: n, unit: u, measure: u.sum, drop: drop})
}
