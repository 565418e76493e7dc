package watcher

import (
	"context"
	"log/slog"
	"time"
)

const (
	// stagger is the time between the starts of the first passes of two roots.
	stagger = 50 * time.Millisecond
	// watchedInterval and blindInterval are the times between passes where the
	// settings name none: where events tell of every change, and where they do not.
	watchedInterval = 5 * time.Minute
	blindInterval   = 30 * time.Second
	// restFactor is how many times as long as a pass took the next one waits at least.
	restFactor = 4
)

// root is the literal prefix of one or more rules. It may come and go.
type root struct {
	anchor
	node  *node  // nil while it is away
	mount uint64 // see folder.mountID
	told  bool   // its absence was logged
}

// scan is the state of the passes over all folders. A full pass lists each, the
// others only those whose times changed.
type scan struct {
	rules    []*rule // of the root
	share    float64 // of an interval, to wait after the first pass
	running  bool
	full     bool
	again    bool // start a full pass as soon as none is running
	passes   uint8
	scanned  bool // the first pass has ended
	began    time.Duration
	folders  int
	listings int
	files    int
	nextScan time.Duration
	rested   time.Duration // no pass before, for the sake of others
	nextFull time.Duration
	nextPoll time.Duration
	scanFree time.Duration // no scanning before, for the limit's sake
	lists    []*node       // folders to be listed, last first
	reading  *reading
}

// pollRoot looks whether the root came, went, or was mounted over.
func (l *loop) pollRoot(ctx context.Context) {
	now := l.now()
	if now < l.nextPoll {
		return
	}
	l.nextPoll = now + l.rootPoll
	r := l.root
	var in info
	var mount uint64
	f, err := l.open(r.path)
	if err == nil {
		mount = f.mountID()
		in, err = f.look("")
		f.close()
	}
	here := err == nil
	if r.node != nil && (!here || r.node.dead || r.node.id != in.id || r.mount != mount) {
		l.dropTree(r.node)
		r.node = nil
	}
	r.mount = mount
	switch {
	case here && r.node == nil:
		r.node = &node{spot: l.match.root(r.path), path: r.path, id: in.id}
		l.adopt(r.node)
		l.list(r.node)
		if r.told {
			l.log.InfoContext(ctx, "folder is there", r.attr())
		}
		r.told = false
	case !here && !r.told:
		r.told = true
		l.log.WarnContext(ctx, "folder is not there: waiting for it", r.attr(), slog.Any("error", err))
	}
}

// list puts a folder on the list of folders to be listed.
func (l *loop) list(n *node) {
	n.pass = l.passes
	if n.queued || n.dead {
		return
	}
	n.queued = true
	if n.ready || n.place == nil || n.leaf {
		l.lists = append(l.lists, n)
	} else {
		l.asks = append(l.asks, n)
	}
}

// scanStep starts a pass if one is due, or goes on with it.
func (l *loop) scanStep(ctx context.Context) {
	if l.now() < l.scanFree {
		return
	}
	if !l.running && l.now() >= l.passAt() {
		l.beginPass(ctx)
	}
	if l.reading == nil {
		if last := len(l.lists) - 1; last >= 0 {
			n := l.lists[last]
			l.lists[last] = nil
			l.lists = l.lists[:last]
			n.queued = false
			l.meet(ctx, n)
		}
	}
	if l.reading != nil {
		l.readOn(ctx)
	}
	if l.running && l.reading == nil && len(l.lists) == 0 && len(l.asks) == 0 && len(l.asked) == 0 {
		l.endPass(ctx)
	}
}

// passAt is when the next pass is due.
func (l *loop) passAt() time.Duration {
	if l.again {
		return l.rested
	}
	return l.nextScan
}

func (l *loop) beginPass(ctx context.Context) {
	now := l.now()
	l.full = l.again || now >= l.nextFull
	if l.again || (l.notify.fs == nil && l.listens()) {
		if err := l.reopen(ctx); err != nil {
			l.log.WarnContext(ctx, "restarting file events", slog.Any("error", err))
		}
	}
	l.running, l.again = true, false
	l.passes++
	l.began, l.folders, l.listings, l.files = now, 0, 0, 0
	if l.full {
		l.settler.begin()
	}
	if l.root.node != nil {
		l.list(l.root.node)
	}
}

// endPass forgets what the pass did not meet and plans the next one.
func (l *loop) endPass(ctx context.Context) {
	l.running = false
	doubts := false
	for _, n := range l.nodes {
		if n.pass != l.passes && !n.dead {
			l.dropTree(n)
		}
		doubts = doubts || (n.stale && !n.dead)
	}
	now := l.now()
	if l.full {
		l.settler.sweep()
		l.nextFull = now + l.fullScan
	}
	took := now - l.began
	rest := max(l.interval(), restFactor*took)
	if !l.scanned {
		rest = time.Duration(float64(rest) * l.share)
	}
	l.rested = now + restFactor*took
	l.nextScan = now + rest
	if doubts {
		l.nextScan = min(l.nextScan, max(now+blindInterval, l.rested))
	}
	if l.full {
		l.nextFull = max(l.nextFull, now+restFactor*took)
	}
	l.observer.Scanned(took, l.folders, l.files)
	l.log.DebugContext(ctx, "scan finished", l.root.attr(), slog.Bool("full", l.full), slog.Bool("first", !l.scanned),
		slog.Int("folders", l.folders), slog.Int("listed", l.listings), slog.Int("files", l.files), slog.Duration("took", took))
	l.scanned = true
	l.full = false
}

// sweepSoon has the next pass find out which unsettled files are not there any
// more: they take room.
func (l *loop) sweepSoon() {
	now := l.now()
	l.nextFull = now
	l.nextScan = min(l.nextScan, max(now, l.rested))
}

// interval is the time between two passes.
func (l *loop) interval() time.Duration {
	shortest := never
	for _, r := range l.rules {
		if r.interval > 0 {
			shortest = min(shortest, r.interval)
		}
	}
	blind := len(l.nodes) > len(l.notify.byID)
	switch {
	case shortest < never:
		return shortest
	case blind:
		return blindInterval
	case !l.scans():
		return never / restFactor // events alone, as asked for
	default:
		return watchedInterval
	}
}

// scans reports whether any rule of the root leaves room for passes.
func (l *loop) scans() bool {
	for _, r := range l.rules {
		if r.mode != ModeEvents {
			return true
		}
	}
	return false
}

// listens reports whether any rule of the root leaves room for events.
func (l *loop) listens() bool {
	for _, r := range l.rules {
		if r.mode != ModeScan {
			return true
		}
	}
	return false
}

// reopen starts the events afresh; the pass adds the watches again.
func (l *loop) reopen(ctx context.Context) error {
	for _, n := range l.nodes {
		n.watched = false
	}
	return l.notify.reopen(ctx)
}
