package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"time"
)

// tick is how often waiting manifests are looked at.
const tick = 100 * time.Millisecond

// Run takes waiting manifests as they become due, until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		in.review(ctx)
	}
}

// review looks at each manifest that is due for it. A failure to do so leaves
// that manifest for the next time.
func (in *Intake) review(ctx context.Context) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	for _, m := range in.byAge() {
		if m.next.After(now) {
			continue
		}
		in.attempt(ctx, m)
	}
}

// attempt looks at one manifest. What keeps it from being taken, of whatever
// kind, keeps nothing else from it.
func (in *Intake) attempt(ctx context.Context, m *manifest) {
	// A fault, and the check of a refused one, wait this long.
	m.next = time.Now().Add(2 * time.Second)
	if err := in.reviewOne(ctx, m); err != nil && ctx.Err() == nil {
		in.log.WarnContext(ctx, "a manifest waits", slog.String("manifest", m.path), slog.Any("error", err))
	}
}

func (in *Intake) reviewOne(ctx context.Context, m *manifest) error {
	if m.taken {
		return in.release(ctx, m)
	}
	rel, err := in.share.Rel(m.path)
	if err != nil {
		return err
	}
	if _, err := in.share.Root().Lstat(rel); errors.Is(err, fs.ErrNotExist) {
		return in.forget(ctx, m.path)
	}
	switch {
	case m.refused:
		return nil
	case m.fault != nil:
		return in.refuse(ctx, m, m.fault)
	}
	return in.evaluate(ctx, m)
}

// byAge is the manifests, the longest waiting first.
func (in *Intake) byAge() []*manifest {
	list := make([]*manifest, 0, len(in.manifests))
	for _, m := range in.manifests {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *manifest) int { return a.waiting.Compare(b.waiting) })
	return list
}
