package watcher

import (
	"context"
	"hash/maphash"
	"time"
)

// loop is one run of a watcher. Only its own goroutine touches it.
type loop struct {
	*Watcher
	settler *settler
	notify  *notifier
	seed    maphash.Seed
	start   time.Time
	buf     []byte // for reading folders

	roots   []*root
	nodes   map[string]*node // by path
	queue   queue            // folders with unsettled files, by when to look
	lists   []*node          // folders to be listed, last first
	held    map[*node]struct{}
	touches map[*node]map[string]how // names that events spoke of since the last look
	moved   map[string]time.Duration // old paths of what moved while unsettled, and when

	jobs     chan walkJob
	measured chan walkDone
	walks    []walkJob // the first is with the walker while walking
	walking  bool

	batch
	scan
}

// run is the loop: events first, then one folder to list, then what is due.
func (l *loop) run(ctx context.Context) error {
	l.notify = newNotifier(ctx, l.log)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.drain(ctx)
		l.flush(ctx)
		l.pollRoots(ctx)
		l.scanStep(ctx)
		l.lookDue(ctx)
		l.sendBatch()
		l.sendWalk()

		timer.Reset(l.pause())
		select {
		case <-ctx.Done():
		case ev, ok := <-l.notify.events:
			if ok {
				l.event(ctx, ev)
			}
		case <-l.notify.lost:
			if !l.again {
				l.again = true
				l.log.WarnContext(ctx, "file events were lost: scanning everything")
			}
		case err := <-l.back:
			l.returned(ctx, err)
		case done := <-l.measured:
			l.walked(ctx, &done)
		case <-timer.C:
		}
	}
	return l.notify.close()
}

// now is the time since the start of the run, by the monotonic clock.
func (l *loop) now() time.Duration { return time.Since(l.start) }

func (l *loop) tick() tick {
	return tick(l.now() / time.Millisecond) //nolint:gosec // wraps, as a tick does
}

// pause is the time to the next thing that is due without an event.
func (l *loop) pause() time.Duration {
	now := l.now()
	if len(l.lists) > 0 {
		return 0
	}
	at := min(l.nextPoll, l.nextScan)
	if len(l.queue) > 0 && l.room() > 0 {
		at = min(at, max(l.queue[0].due, l.holdUntil))
	}
	if l.count() > 0 && len(l.sent) == 0 {
		at = min(at, l.flushAt())
	}
	return max(at-now, 0)
}

// lookDue looks into the folders that are due, as long as what settles has room.
func (l *loop) lookDue(ctx context.Context) {
	const slice = 20 * time.Millisecond // then events get their turn
	began := l.now()
	for now := began; now >= l.holdUntil && l.room() > 0 && now-began < slice; now = l.now() {
		n, ok := l.queue.next(now)
		if !ok {
			return
		}
		l.look(ctx, n)
	}
}
