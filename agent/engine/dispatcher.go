package engine

import (
	"context"
	"log/slog"
	"time"

	"biomero-importer/agent/tracking"
)

// sweepEvery is how often pending rows are looked for without having been
// announced; a lost notification delays an order by this much.
const sweepEvery = 2 * time.Second

// requeueEvery is how often running orders are checked for a live job.
const requeueEvery = 15 * time.Second

// dispatcher claims pending orders, and gives back those of dead agents.
type dispatcher struct {
	store   *tracking.Store
	enqueue tracking.Enqueue
	log     *slog.Logger
	wake    chan struct{}
}

// run claims what is due, at each wake-up and each sweep.
func (d *dispatcher) run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		more, err := d.store.Claim(ctx, d.enqueue)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.log.WarnContext(ctx, "orders wait: they could not be claimed", slog.Any("error", err))
		case more:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-sweep.C:
		}
	}
}

// listen wakes run when the database announces a pending row.
func (d *dispatcher) listen(ctx context.Context) error {
	d.store.Listen(ctx, tracking.OrdersChannel, func() {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}, func(err error) {
		d.log.WarnContext(ctx, "not told of new orders; sweeping for them", slog.Any("error", err))
	})
	return nil
}

// rescue gives the jobs of dead agents back to the queue.
func (d *dispatcher) rescue(ctx context.Context) error {
	var requeued time.Time
	for ; ctx.Err() == nil; pause(ctx) {
		n, err := d.store.Rescue(ctx, d.enqueue)
		if err == nil && time.Since(requeued) >= requeueEvery {
			requeued = time.Now()
			var orphans int
			orphans, err = d.store.Requeue(ctx, d.enqueue)
			n += orphans
		}
		if err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "orders of dead agents wait", slog.Any("error", err))
		}
		if n > 0 {
			d.log.InfoContext(ctx, "resuming orders that were interrupted", slog.Int("orders", n))
		}
	}
	return nil
}
