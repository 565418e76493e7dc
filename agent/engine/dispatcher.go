package engine

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"biomero-importer/agent/tracking"
)

// sweepEvery is how often orders are looked for without having been announced: a
// lost notification delays one by this much. What is to be tried again is not
// announced.
const sweepEvery = 2 * time.Second

// dispatcher takes orders up for free workers.
type dispatcher struct {
	store *tracking.Store
	agent string
	log   *slog.Logger
	turns turns
	wake  chan struct{} // orders may have come, or a worker is free

	workers int
	busy    atomic.Int64
	start   func(*tracking.Work)
	cancel  func(tracking.Job)
}

// run takes up what is due, at each wake-up and each sweep.
func (d *dispatcher) run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		more, err := d.take(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.log.WarnContext(ctx, "orders wait: they could not be taken up", slog.Any("error", err))
		case more:
			d.gather(ctx)
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

// gatherTime is how long free workers wait for others to be free too.
const gatherTime = 3 * time.Millisecond

// gather waits a moment, while there is much to do, until half of the workers are
// free: what many orders cost together is little more than what one costs alone.
func (d *dispatcher) gather(ctx context.Context) {
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	for 2*int(d.busy.Load()) > d.workers {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-d.wake:
		}
	}
}

// take takes up as many orders as there are free workers, and reports whether
// another try may find more.
func (d *dispatcher) take(ctx context.Context) (more bool, err error) {
	free := d.workers - int(d.busy.Load())
	// Not to be cut short: what is taken up has to be carried out.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTime)
	defer cancel()
	waiting, err := d.store.Waiting(ctx, d.agent, max(free, 0))
	if err != nil {
		return false, err
	}
	for _, job := range waiting.Cancelled {
		d.cancel(job)
	}
	// What was begun before goes on first, yet a backend that fails all the time
	// must not keep what is new from its first try.
	fresh := 0
	for _, share := range waiting.Shares {
		fresh += share.Count
	}
	due := min(waiting.Due, max((free+1)/2, free-fresh))
	if free <= 0 || due+fresh == 0 {
		return false, nil // a worker that ends wakes us
	}
	works, err := d.store.Take(ctx, d.agent, due, d.turns.next(waiting.Shares, free-due))
	if err != nil {
		return false, err
	}
	for _, w := range works {
		d.busy.Add(1)
		d.start(w)
	}
	return len(works) > 0, nil
}

// takeTime bounds what one try may take.
const takeTime = 30 * time.Second

// done notes that a worker is free.
func (d *dispatcher) done() {
	d.busy.Add(-1)
	d.signal()
}

func (d *dispatcher) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// listen wakes run when the database announces an order.
func (d *dispatcher) listen(ctx context.Context) error {
	d.store.Listen(ctx, tracking.OrdersChannel, d.signal, func(err error) {
		d.log.WarnContext(ctx, "not told of new orders; sweeping for them", slog.Any("error", err))
	})
	return nil
}
