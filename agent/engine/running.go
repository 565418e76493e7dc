package engine

import (
	"context"
	"errors"
	"sync"

	"biomero-importer/agent/tracking"
)

// errCancelled is the cause of a context's end when somebody cancelled the order.
var errCancelled = errors.New("the order was cancelled")

// running is the orders that are being carried out.
type running struct {
	mu      sync.Mutex
	cancels map[tracking.Job]context.CancelCauseFunc
}

// with does what is to be done with an order, under a context that ends when it is
// cancelled.
func (r *running) with(ctx context.Context, job tracking.Job, do func(context.Context)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	r.cancels[job] = cancel
	r.mu.Unlock()
	do(ctx)
	r.mu.Lock()
	delete(r.cancels, job)
	r.mu.Unlock()
}

// cancel ends an order that is being carried out.
func (r *running) cancel(job tracking.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.cancels[job]; cancel != nil {
		cancel(errCancelled)
	}
}
