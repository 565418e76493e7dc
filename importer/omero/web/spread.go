package web

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// spread does something for each of n, a few at a time. After a failure no further one is
// begun, and those under way are left to end: one that is broken off may have been carried
// out or not. The error is the first one.
func spread(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var g errgroup.Group
	var failed atomic.Bool
	g.SetLimit(inFlight)
	for i := range n {
		g.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := do(ctx, i)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}
