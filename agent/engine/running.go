package engine

import (
	"context"
	"fmt"
	"sync"

	"biomero-importer/agent/tracking"
	"biomero-importer/preprocess"
)

// errCancelled is the cause of a context's end when somebody cancelled the order.
var errCancelled = fmt.Errorf("the order was cancelled: %w", preprocess.ErrCancelled)

// running is the orders that are being carried out, or whose end is being written.
type running struct {
	mu      sync.Mutex
	cancels map[tracking.Job]context.CancelCauseFunc
}

// add enters an order and returns a context for it, which ends when it is
// cancelled, and what takes it out again.
func (r *running) add(ctx context.Context, job tracking.Job) (_ context.Context, remove func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancels[job] = cancel
	return ctx, func() {
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cancels, job)
	}
}

func (r *running) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cancels)
}

// has reports whether an order is being carried out, and ends it if it is cancelled.
func (r *running) has(job tracking.Job, cancelled bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	cancel := r.cancels[job]
	if cancel != nil && cancelled {
		cancel(errCancelled)
	}
	return cancel != nil
}
