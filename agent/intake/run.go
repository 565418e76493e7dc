package intake

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
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
		list := in.due()
		for _, m := range list {
			select {
			case <-ctx.Done():
				return nil
			case free <- struct{}{}:
			}
			looking.Go(func() {
				in.attempt(ctx, m)
				<-free
			})
		}
		if len(list) == maxDue {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// maxDue is how many manifests are looked at before it is seen anew which are due.
const maxDue = 64

// due is some of the manifests that are to be looked at, marked as being looked
// at. Own folders take turns, and in each the longest waiting comes first, so that
// whoever has very many does not keep the others waiting.
func (in *Intake) due() []*manifest {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	var list []*manifest
	for m := range in.manifests.all() {
		if !m.busy && !m.next.After(now) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *manifest) int { return a.waiting.Compare(b.waiting) })
	turn, turns := make(map[*manifest]int, len(list)), map[string]int{}
	for _, m := range list {
		turn[m] = turns[m.own]
		turns[m.own]++
	}
	slices.SortStableFunc(list, func(a, b *manifest) int { return cmp.Compare(turn[a], turn[b]) })
	list = list[:min(len(list), maxDue)]
	for _, m := range list {
		m.busy = true
	}
	return list
}

// How long a manifest waits for its next look: soon while its files are about
// to come, seldom when they take hours, and long after a look that took long.
const (
	soonest = 100 * time.Millisecond
	latest  = 15 * time.Second
)

// attempt looks for one manifest's files, and then decides on it.
func (in *Intake) attempt(ctx context.Context, m *manifest) {
	began := time.Now()
	found := in.inspect(ctx, m)
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	m.busy = false
	m.next = now.Add(max(min(max(now.Sub(m.waiting)/20, soonest), latest), 5*now.Sub(began)))
	if ctx.Err() != nil || in.manifests.byPath[m.path] != m {
		return
	}
	if err := in.decide(ctx, m, &found); err != nil && ctx.Err() == nil {
		m.next = now.Add(latest)
		in.log.WarnContext(ctx, "a manifest waits", slog.String("manifest", m.path), slog.Any("error", err))
	}
	if m.refused || m.unseen || m.taken {
		m.next = now.Add(2 * time.Second)
	}
}

// unreadable is how long a manifest may not be readable before it is refused.
const unreadable = time.Minute

func (in *Intake) decide(ctx context.Context, m *manifest, i *inspection) error {
	switch {
	case m.taken:
		return in.release(ctx, m)
	case i.gone:
		return in.forget(ctx, m.path)
	case m.refused:
		return nil
	case m.unseen:
		if time.Since(m.waiting) > in.config.ManifestTimeout {
			return in.release(ctx, m)
		}
		return nil
	case m.unread && time.Since(m.waiting) < unreadable:
		return in.control(ctx, m.drop)
	case m.fault != nil:
		return in.refuse(ctx, m, m.fault)
	case i.fault != nil:
		return in.refuse(ctx, m, i.fault)
	case len(i.wanting) == 0:
		return in.take(ctx, m, i)
	// As recorded, so that a restart does not begin the wait anew.
	case time.Since(m.record.FirstSeen) <= in.config.ManifestTimeout:
		return nil
	case m.resaved: // what it named, and was imported, is not there any more
		return in.keepTaken(ctx, m)
	default:
		return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: it waited %s for its files in vain: %s.",
			filepath.Base(m.path), in.config.ManifestTimeout, shorten(i.wanting)))
	}
}
