package watcher

import (
	"context"
	"hash/maphash"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run watches until ctx ends and then returns nil, after the sink has returned.
// It may be called again, but not concurrently.
func (w *Watcher) Run(ctx context.Context) error {
	l := newLoop(w)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.run(gctx) })
	g.Go(func() error {
		w.deliver(gctx, l.out, l.back)
		return nil
	})
	g.Go(func() error {
		(&walker{seed: l.seed, ignore: &w.match.ignore}).run(gctx, l.jobs, l.measured)
		return nil
	})
	return g.Wait()
}

func newLoop(w *Watcher) *loop {
	l := &loop{
		Watcher:  w,
		seed:     maphash.MakeSeed(),
		start:    time.Now(),
		settler:  newSettler(),
		nodes:    map[string]*node{},
		held:     map[*node]struct{}{},
		touches:  map[*node]map[string]how{},
		moved:    map[string]time.Duration{},
		jobs:     make(chan walkJob, 1),
		measured: make(chan walkDone, 1),
		batch:    batch{out: make(chan []Drop, 1), back: make(chan error, 1)},
		buf:      make([]byte, 256<<10),
	}
	for _, dir := range w.match.roots() {
		l.roots = append(l.roots, &root{path: dir})
	}
	return l
}

// deliver calls the sink, one batch at a time.
func (w *Watcher) deliver(ctx context.Context, batches <-chan []Drop, results chan<- error) {
	for {
		select {
		case <-ctx.Done():
			return
		case drops := <-batches:
			err := w.sink.Settled(ctx, drops)
			select {
			case <-ctx.Done():
				return
			case results <- err:
			}
		}
	}
}
