package watcher

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// patience is how long a filesystem may take to answer after ctx has ended.
const patience = 10 * time.Second

// Run watches until ctx ends and then returns nil, after the sink has returned.
// It may be called again, but not concurrently. A root whose filesystem hangs is
// given up 10 seconds after ctx has ended, and named in the error.
func (w *Watcher) Run(ctx context.Context) error {
	limit := rate.NewLimiter(rate.Inf, 0)
	if w.scanRate > 0 {
		limit = rate.NewLimiter(rate.Limit(w.scanRate), maxStep)
	}
	var sink sync.Mutex
	roots := w.anchors
	ended := make(chan error, len(roots))
	running := map[string]bool{}
	var mu sync.Mutex
	loops := make([]*loop, len(roots))
	for i, at := range roots {
		running[at.path] = true
		loops[i] = newLoop(w, at, limit, i, len(roots))
	}
	w.setAtWork(loops)
	defer w.setAtWork(nil)
	for i, at := range roots {
		l := loops[i]
		go func() {
			err := l.parts(ctx, &sink)
			mu.Lock()
			delete(running, at.path)
			mu.Unlock()
			ended <- err
		}()
	}
	<-ctx.Done()
	late := time.NewTimer(patience)
	defer late.Stop()
	var errs []error
	for range roots {
		select {
		case err := <-ended:
			errs = append(errs, err)
		case <-late.C:
			mu.Lock()
			defer mu.Unlock()
			for dir := range running {
				errs = append(errs, fmt.Errorf("watcher: %s does not answer", dir))
			}
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}

// parts runs a loop and those that work for it.
func (l *loop) parts(ctx context.Context, sink *sync.Mutex) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.run(ctx) })
	g.Go(func() error {
		l.deliver(ctx, sink, l.out, l.back)
		return nil
	})
	g.Go(func() error {
		l.recaller(ctx, l.questions, l.answers)
		return nil
	})
	g.Go(func() error {
		(&walker{match: l.match, limit: l.limit}).run(ctx, l.jobs, l.measured)
		return nil
	})
	return g.Wait()
}

func newLoop(w *Watcher, at anchor, limit *rate.Limiter, index, of int) *loop {
	l := &loop{
		Watcher:  w,
		root:     &root{anchor: at},
		limit:    limit,
		seed:     maphash.MakeSeed(),
		clock:    clock{start: time.Now()},
		settler:  newSettler(),
		nodes:    map[string]*node{},
		held:     map[*node]struct{}{},
		touches:  map[*node]map[string]how{},
		jobs:     make(chan walkJob, 1),
		measured: make(chan walkDone, 1),
		batch:    batch{out: make(chan []Drop, 1), back: make(chan error, 1)},
		recall:   recall{questions: make(chan []string, 1), answers: make(chan answer, 1)},
		buf:      make([]byte, 32<<10),

		settlings: make(chan settlingAsk),
	}
	l.rules = w.match.below(at.path)
	l.nextScan = time.Duration(index) * stagger
	l.share = float64(index+1) / float64(of)
	return l
}

// deliver calls the sink, one batch at a time over all roots.
func (w *Watcher) deliver(ctx context.Context, sink *sync.Mutex, batches <-chan []Drop, results chan<- error) {
	for {
		select {
		case <-ctx.Done():
			return
		case drops := <-batches:
			sink.Lock()
			err := w.sink.Settled(ctx, drops)
			sink.Unlock()
			select {
			case <-ctx.Done():
				return
			case results <- err:
			}
		}
	}
}

func (r *root) attr() slog.Attr { return slog.String("folder", r.path) }
