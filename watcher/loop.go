package watcher

import (
	"context"
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"
)

// loop watches one root. Only its own goroutine touches it, so that a filesystem
// that hangs holds up nothing but what lies on it.
type loop struct {
	*Watcher
	root    *root
	settler *settler
	notify  *notifier
	limit   *rate.Limiter // of entries that scans look at
	seed    maphash.Seed
	clock   clock
	buf     []byte // for reading folders

	nodes   map[string]*node // by path
	queue   queue            // folders with unsettled files or units, by when to look
	held    map[*node]struct{}
	touches map[*node]map[string]how // names that events spoke of since the last look
	astray  time.Duration            // until then what appears may have left a folder that was forgotten
	units   int                      // of several files, so that few files are asked about them

	jobs     chan walkJob
	measured chan walkDone
	walks    []walkJob // to be done
	walking  bool

	settlings chan settlingAsk
	shown     shown
	pulse     pulse // of who calls Stuck

	batch
	recall
	scan
}

// run is the loop: events first, then a little scanning, then what is due.
func (l *loop) run(ctx context.Context) error {
	l.notify = newNotifier(ctx, l.log)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.drain(ctx)
		l.flush(ctx)
		l.pollRoot(ctx)
		l.ask()
		l.scanStep(ctx)
		l.lookDue(ctx)
		l.sendBatch()
		l.sendWalk()
		l.show()

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
				l.observer.Lost()
				l.log.WarnContext(ctx, "file events were lost: scanning everything", l.root.attr())
			}
		case err := <-l.back:
			l.returned(ctx, err)
		case answer := <-l.answers:
			l.recalled(ctx, answer)
		case done := <-l.measured:
			l.walked(ctx, &done)
		case ask := <-l.settlings:
			ask.reply <- l.settling(ask.limit)
		case <-timer.C:
		}
	}
	l.endReading()
	return l.notify.close()
}

// now is the time since the start of the run, by the monotonic clock.
func (l *loop) now() time.Duration { return time.Since(l.clock.start) }

func (l *loop) tick() tick {
	return tick(l.now() / time.Millisecond) //nolint:gosec // wraps, as a tick does
}

// pause is the time to the next thing that is due without an event.
func (l *loop) pause() time.Duration {
	now := l.now()
	at := l.nextPoll
	if !l.running {
		at = min(at, max(l.passAt(), l.scanFree))
	}
	if len(l.lists) > 0 || l.reading != nil {
		at = min(at, l.scanFree)
	}
	if len(l.asks) > 0 && len(l.asked) == 0 {
		at = min(at, l.askAt)
	}
	if len(l.queue) > 0 && l.room() > 0 {
		at = min(at, max(l.queue[0].due, l.holdUntil))
	}
	if l.count() > 0 && len(l.sent) == 0 {
		at = min(at, max(l.flushAt(l.queue.isDue(now)), l.holdUntil))
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
