package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/tracking"
)

// sweepEvery is how often orders are looked for without having been announced: a
// lost notification delays one by this much. What is to be tried again is not
// announced.
const sweepEvery = 2 * time.Second

// dispatcher takes orders up for free workers.
type dispatcher struct {
	store *tracking.Store
	agent tracking.Agent
	log   *slog.Logger
	turn  func() // called in each round
	turns turns

	observer Observer

	wake chan struct{} // orders may have come, or a worker is free
	news atomic.Bool   // something was announced since the last look

	slots   *slots
	busy    atomic.Int64 // orders that have a worker, or wait for one
	running running
	odd     bool // the odd worker went to what was begun before
	start   func(*tracking.Work)

	looked, released time.Time
	waiting          *tracking.Waiting     // what waited at the last look, less what was taken up since
	missing          map[tracking.Job]bool // what this agent had at the last look without knowing
}

// run takes up what is due, at each wake-up and each sweep, until ctx ends. What is
// taken up by then has to be carried out, so only the end of jobs cuts that short.
func (d *dispatcher) run(ctx, jobs context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		d.turn()
		failpoint.Hit(failpoint.Turning)
		more, err := d.take(jobs)
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

// gatherTime is how long it is waited for room for many orders, and so for how long
// at most one that is urgent waits while others are taken up ahead.
const gatherTime = 10 * time.Millisecond

// gather waits a moment, while all workers have something to do, until there is room
// for many orders: what these cost together is little more than what one costs alone.
func (d *dispatcher) gather(ctx context.Context) {
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	for int(d.busy.Load()) > d.slots.scarce() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-d.wake:
		}
	}
}

// take takes up as many orders as there is room for, and reports whether another try
// may find more.
func (d *dispatcher) take(ctx context.Context) (more bool, err error) {
	// What is handed over to be ended takes no worker, but it has to end some time.
	capacity := d.slots.capacity()
	free := max(min(capacity-int(d.busy.Load()), capacity+maxEnding-d.running.count()), 0)
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	if err := d.look(ctx, free); err != nil {
		return false, err
	}
	due, fresh := d.split(d.waiting, free)
	if due+fresh == 0 {
		return false, nil // a worker that ends wakes us
	}
	turns := d.turns.next(d.waiting.Shares, fresh)
	works, more, err := d.store.Take(ctx, d.agent, due, turns)
	if err != nil || len(works) < due+fresh {
		d.waiting = nil // it is not as it was
	} else {
		d.waiting.Without(due, turns)
	}
	if err != nil {
		return false, err
	}
	failpoint.Hit(failpoint.Taken)
	for _, w := range works {
		d.log.DebugContext(ctx, "taken up", slog.String("order", w.Job.UUID), slog.Int64("run", w.Job.Run))
		d.busy.Add(1)
		if !w.Resumed {
			d.observer.Taken(w.Waited)
		}
		d.start(w)
	}
	return more, nil
}

// lookEvery is how long one look at what waits serves, while nothing is announced
// and there is enough of it; lookAhead is for how many times all workers.
const (
	lookEvery = 50 * time.Millisecond
	lookAhead = 16
)

// look finds out what waits, and what this agent has taken up by what the database
// says.
func (d *dispatcher) look(ctx context.Context, free int) error {
	if !d.news.Swap(false) && d.waiting != nil && d.waiting.Count() >= free && time.Since(d.looked) < lookEvery {
		return nil
	}
	d.waiting, d.looked = nil, time.Now()
	limit := lookAhead * d.slots.workers
	if free == 0 {
		limit = 0 // only what is cancelled
	} else if err := d.release(ctx); err != nil {
		return err
	}
	waiting, err := d.store.Waiting(ctx, d.agent, limit)
	if err != nil {
		return err
	}
	if err := d.compare(ctx, waiting.Running); err != nil {
		return err
	}
	d.waiting = waiting
	return nil
}

// releaseEvery is how often an agent without limits looks for what others hold back
// for theirs.
const releaseEvery = time.Second

// release lets go what is held back for a destination that has room.
func (d *dispatcher) release(ctx context.Context) error {
	if d.agent.PerDestination == 0 && time.Since(d.released) < releaseEvery {
		return nil
	}
	d.released = time.Now()
	for {
		more, err := d.store.Release(ctx, d.agent)
		if err != nil || !more || d.agent.PerDestination == 0 {
			return err
		}
	}
}

// compare ends what was cancelled, and puts back what this agent has taken up
// without knowing: the answer to that was lost. What is so for the first time may
// have ended while it was looked at.
func (d *dispatcher) compare(ctx context.Context, runs []tracking.Run) error {
	missing := map[tracking.Job]bool{}
	for _, r := range runs {
		if d.running.has(r.Job, r.Cancelled) {
			continue
		}
		if !d.missing[r.Job] {
			missing[r.Job] = true
			continue
		}
		if err := d.store.PutBack(ctx, r.Job, 0, false, "", nil); err != nil && !errors.Is(err, tracking.ErrNotMine) {
			return err
		}
	}
	d.missing = missing
	return nil
}

// endCancelled ends what is cancelled while nothing is taken up any more.
func (d *dispatcher) endCancelled(ctx context.Context) {
	for pause(ctx, time.Second) {
		own, err := d.store.Waiting(ctx, d.agent, 0)
		if err != nil {
			continue // it is asked again
		}
		for _, r := range own.Running {
			d.running.has(r.Job, r.Cancelled)
		}
	}
}

// split shares free workers out between orders that were begun before and new ones.
// Those go first, yet a backend that fails all the time must not keep what is new
// from its first try: where both wait, an odd worker is theirs in turns.
func (d *dispatcher) split(waiting *tracking.Waiting, free int) (due, fresh int) {
	for _, share := range waiting.Shares {
		fresh += share.Count
	}
	half := free / 2
	if free%2 == 1 && waiting.Due > 0 && fresh > 0 {
		if d.odd = !d.odd; d.odd {
			half++
		}
	}
	due = min(waiting.Due, max(half, free-fresh))
	return due, min(fresh, free-due)
}

// maxEnding is how many orders may wait for their end to be written.
const maxEnding = 200

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
	announced := func() {
		d.news.Store(true)
		d.signal()
	}
	d.store.Listen(ctx, tracking.OrdersChannel, announced, func(err error) {
		d.log.WarnContext(ctx, "not told of new orders; sweeping for them", slog.Any("error", err))
	})
	return nil
}
