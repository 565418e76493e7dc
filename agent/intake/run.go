package intake

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"biomero-importer/agent/order"
)

// tick is how often manifests are looked at that are due for it.
const tick = 100 * time.Millisecond

// lookers is how many manifests' files are looked for at a time.
const lookers = 4

// Run takes waiting manifests as they become due, and files as they can be
// read, until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { in.reread(ctx) })
	free := make(chan struct{}, lookers)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case free <- struct{}{}:
		}
		m, idle := in.next()
		for ; m == nil; m, idle = in.next() {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
		}
		looking.Go(func() {
			in.attempt(ctx, m, idle)
			<-free
		})
	}
}

// next is the manifest that is to be looked at now, if any, marked as being looked
// at, and whether it is idle. It is of the own folder with the fewest that are being
// looked at, so that whoever has many, or slow ones, does not keep the others
// waiting.
func (in *Intake) next() (first *manifest, idle bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	for m := range in.manifests.all() {
		if m.busy || m.next.After(now) {
			continue
		}
		if first == nil || cmp.Or(cmp.Compare(in.looking[m.own], in.looking[first.own]), m.next.Compare(first.next), m.waiting.Compare(first.waiting)) < 0 {
			first = m
		}
	}
	if first == nil {
		return nil, false
	}
	first.busy = true
	in.looking[first.own]++
	return first, first.idle()
}

// done takes back what next marked.
func (in *Intake) done(m *manifest) {
	m.busy = false
	if in.looking[m.own]--; in.looking[m.own] == 0 {
		delete(in.looking, m.own)
	}
}

// How long a manifest waits for its next look: soon while its files are about
// to come, seldom when they take hours, and long after a look that took long. What
// is only looked after in case it goes or comes back is so less and less.
const (
	soonest = 100 * time.Millisecond
	latest  = 15 * time.Second

	shortPause  = 2 * time.Second
	longPause   = time.Minute
	longAbsence = latest // of what may be noticed by nobody else
)

// delay is how long a manifest waits for its next look after one that took so long.
func (m *manifest) delay(now time.Time, took time.Duration) time.Duration {
	wait := min(max(now.Sub(m.waiting)/20, soonest), latest)
	if m.refused || m.taken || m.unseen || m.absent {
		longest := longPause
		if m.taken || m.absent {
			longest = longAbsence
		}
		m.pause = min(max(2*m.pause, shortPause), longest)
		wait = m.pause
	}
	return max(wait, 5*took)
}

// attempt looks for one manifest's files, and then decides on it.
func (in *Intake) attempt(ctx context.Context, m *manifest, idle bool) {
	began := time.Now()
	found := in.inspect(ctx, m, idle)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.done(m)
	if ctx.Err() != nil || in.manifests.byPath[m.path] != m {
		return
	}
	now := time.Now()
	m.next = now.Add(m.delay(now, now.Sub(began)))
	if err := in.decide(ctx, m, &found); err != nil && ctx.Err() == nil {
		m.next = now.Add(latest)
		in.log.WarnContext(ctx, "a manifest waits", slog.String("manifest", m.path), slog.Any("error", err))
	}
}

func (in *Intake) decide(ctx context.Context, m *manifest, i *inspection) error {
	switch {
	case m.taken:
		return in.release(ctx, m)
	case m.absent:
		return in.await(ctx, m, i.gone)
	case i.gone && m.unseen: // the watcher shows it when it is back
		return errors.Join(in.recordGone(ctx, m.path), in.dissolve(ctx, m))
	case i.gone:
		return in.forget(ctx, m.drop)
	case m.unread && (m.refused || time.Since(m.waiting) <= in.config.ManifestTimeout):
		return in.control(ctx, m.drop)
	case m.refused:
		return nil
	case m.unseen:
		if time.Since(m.waiting) > in.config.ManifestTimeout {
			return in.release(ctx, m)
		}
		return nil
	case m.crowded:
		return in.admit(ctx, m)
	case m.fault != nil:
		return in.refuse(ctx, m, m.fault)
	case i.fault != nil:
		return in.refuse(ctx, m, i.fault)
	case len(i.wanting) == 0:
		return in.take(ctx, m, i)
	// As recorded, so that a restart does not begin the wait anew; yet it had to be
	// looked at for long enough to tell.
	case time.Since(m.record.FirstSeen) <= in.config.ManifestTimeout, time.Since(m.waiting) <= min(in.config.ManifestTimeout, in.patience(m)):
		return nil
	case m.resaved: // what it named, and was imported, is not there any more
		return in.keepTaken(ctx, m)
	default:
		return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: it waited %s for its files in vain: %s.",
			filepath.Base(m.path), in.config.ManifestTimeout, shorten(i.wanting)))
	}
}

// patience is how long it takes at the most to see that a manifest's files are
// there and settled.
func (in *Intake) patience(m *manifest) time.Duration {
	return 2*in.quiet(m) + time.Minute
}
