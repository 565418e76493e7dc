package watcher

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

const (
	maxBatch   = 10_000
	lull       = 5 * time.Millisecond   // a batch goes when nothing joined it for so long
	maxLull    = 100 * time.Millisecond // or when its first drop has waited so long
	maxJoin    = 2 * time.Second        // or so long, if more that may join it is due
	minBackoff = 250 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// item is a settled drop with what is needed to remember its fate.
type item struct {
	drop Drop
	node *node
	name string
	unit *unit // nil for a file

	key, digest uint64  // of a file
	measure     measure // of a unit
	seq         uint64  // of a unit, when it settled
}

// batch gathers what has settled. Control files are kept apart because nothing
// that they may claim may overtake them.
type batch struct {
	out  chan []Drop
	back chan error

	controls, others []item
	sent             []item // with the sink
	first, last      time.Duration
	holdUntil        time.Duration // after the sink's error
	backoff          time.Duration
}

func (b *batch) count() int { return len(b.controls) + len(b.others) }

// room bounds what is settled and not sent, so that a slow sink costs no memory.
func (b *batch) room() int { return maxBatch - b.count() }

func (b *batch) add(now time.Duration, it item) {
	if b.count() == 0 {
		b.first = now
	}
	b.last = now
	if it.drop.Control {
		b.controls = append(b.controls, it)
	} else {
		b.others = append(b.others, it)
	}
}

// flushAt is when the batch is to be sent, if more is due that may join it or not.
func (b *batch) flushAt(more bool) time.Duration {
	switch {
	case b.room() <= 0:
		return 0
	case more:
		return b.first + maxJoin
	default:
		return min(b.first+maxLull, b.last+lull)
	}
}

// sendBatch gives the batch to the sink if that is idle.
func (l *loop) sendBatch() {
	now := l.now()
	if l.count() == 0 || len(l.sent) > 0 || now < max(l.flushAt(l.queue.isDue(now)), l.holdUntil) {
		return
	}
	l.controls = slices.DeleteFunc(l.controls, l.outdated)
	l.others = slices.DeleteFunc(l.others, func(it item) bool { return l.outdated(it) || l.heldBack(&it) })
	if l.count() == 0 {
		return
	}
	controls := min(len(l.controls), maxBatch)
	others := min(len(l.others), maxBatch-controls)
	l.sent = append(l.sent, l.controls[:controls]...)
	l.sent = append(l.sent, l.others[:others]...)
	l.controls = append([]item(nil), l.controls[controls:]...)
	l.others = append([]item(nil), l.others[others:]...)
	drops := make([]Drop, len(l.sent))
	for i := range l.sent {
		drops[i] = l.sent[i].drop
	}
	l.out <- drops // never blocks: it has room for one, and the one before came back
}

// returned takes the sink's answer.
func (l *loop) returned(ctx context.Context, err error) {
	sent := l.sent
	l.sent = nil
	if err == nil {
		l.backoff = 0
		for i := range sent {
			l.accept(&sent[i])
		}
		return
	}
	l.backoff = min(max(2*l.backoff, minBackoff), maxBackoff)
	l.holdUntil = l.now() + l.backoff
	if ctx.Err() == nil {
		l.log.WarnContext(ctx, "drops were not taken: offering them again",
			slog.Int("drops", len(sent)), slog.Duration("after", l.backoff), slog.Any("error", err))
	}
	for i := range sent {
		l.refuse(&sent[i])
	}
}

// keeper is the folder that knows whether the drop was taken. It may have gone
// and come back since the drop was found: nil while it is not there.
func (l *loop) keeper(it *item) *node {
	dir, _ := split(it.drop.Path)
	return l.nodes[dir]
}

// outdated reports whether a drop is not to be sent after all: it changed and
// settles once more, or it is gone, or what came back while the sink was taking it
// had settled once more.
func (l *loop) outdated(it item) bool {
	u := it.unit
	switch {
	case l.wasTaken(it):
		return true
	case u != nil:
		return it.seq != u.seq || u.home.dead
	case l.nodes[it.node.path] == nil:
		l.settler.forget(it.key) // else it would be under way for ever
		return true
	}
	return !l.settler.underWay(it.key, it.digest)
}

// heldBack reports whether a control file has come that may claim a drop, which
// then waits for it.
func (l *loop) heldBack(it *item) bool {
	n := l.nodes[it.node.path]
	if n == nil || !n.holds() {
		return false
	}
	l.putBack(it, n, l.now())
	l.held[n] = struct{}{}
	return true
}

// putBack has a drop that was not taken settle once more from a moment on, so that
// what is offered then is what is there by then. Its folder may have been removed
// and made again.
func (l *loop) putBack(it *item, n *node, at time.Duration) {
	if u := it.unit; u != nil {
		if u.state == inflight && u.sum == it.measure {
			u.state, u.next = pending, at
		}
		return
	}
	l.settler.refuse(it.key, it.digest)
	if it.drop.Control {
		n.expect(it.name)
	}
	n.wait(it.name)
}

// wasTaken reports, and takes note, that the sink took the drop in the meantime.
func (l *loop) wasTaken(it item) bool {
	n := l.keeper(&it)
	if n == nil || !n.known.has(it.drop.Mark) {
		return false
	}
	switch u := it.unit; {
	case u == nil:
		l.settler.accept(it.key, it.digest)
	case u.taken.mark != 0 && u.taken.mark != it.measure.mark:
		return false // it is again as it once was
	default:
		u.accept(&it.measure)
	}
	return true
}

func (l *loop) accept(it *item) {
	if n := l.keeper(it); n != nil {
		n.known.add(it.drop.Mark)
		if r := l.reading; r != nil && r.node == n {
			r.met = append(r.met, it.drop.Mark) // the listing may have passed it by
		}
	}
	l.tellTaken(it)
	if it.unit == nil {
		l.settler.accept(it.key, it.digest)
		return
	}
	it.unit.accept(&it.measure)
}

// tellTaken tells the observer of a drop, unless that has changed meanwhile.
func (l *loop) tellTaken(it *item) {
	if u := it.unit; u != nil {
		if u.seq == it.seq {
			l.observer.Taken(l.now() - u.since)
		}
		return
	}
	k := data
	if it.drop.Control {
		k = control
	}
	if after, ok := l.settler.after(it.key, l.tick(), it.node.quiet(k)); ok && l.settler.underWay(it.key, it.digest) {
		l.observer.Taken(millis(after))
	}
}

// refuse lets a drop that the sink did not take settle once more.
func (l *loop) refuse(it *item) {
	n := l.nodes[it.node.path]
	if n == nil {
		l.settler.forget(it.key)
		return
	}
	l.putBack(it, n, l.holdUntil)
	l.queue.schedule(n, l.holdUntil)
}
