package engine

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"biomero-importer/agent/tracking"
)

// lockEvery is how often an agent looks whether it still has its lock.
const lockEvery = 500 * time.Millisecond

// graceTime is how long an agent has to be without its lock before its orders are
// taken up by others. One that is alive has noticed by the first two of these, and
// stopped what it does by the end, see session.
const graceTime = lockEvery + tracking.CheckTime + 3*time.Second

// rescueEvery is how often it is looked for agents that are gone.
const rescueEvery = time.Second

// rescuer finds the orders of agents that are gone, and those that wait without need.
type rescuer struct {
	store *tracking.Store
	log   *slog.Logger
	since map[string]time.Time // since when agents have been seen without their lock
	own   []string             // names under which this process has worked
}

func (r *rescuer) run(ctx context.Context) error {
	r.since = map[string]time.Time{}
	for ; ctx.Err() == nil; pause(ctx, r.next(time.Now())) {
		n, err := r.rescue(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "orders of agents that are gone wait", slog.Any("error", err))
			clear(r.since) // nobody was seen meanwhile
		}
		if n > 0 {
			r.log.InfoContext(ctx, "resuming orders that were interrupted", slog.Int("orders", n))
		}
		if err := r.store.Hasten(ctx, longestWait); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "orders that are to be tried again wait", slog.Any("error", err))
		}
	}
	return nil
}

// next is how soon to look again: each second, and as soon as one may be rescued.
func (r *rescuer) next(now time.Time) time.Duration {
	wait := rescueEvery
	for _, since := range r.since {
		if left := since.Add(graceTime).Sub(now); left > 0 {
			wait = min(wait, left)
		}
	}
	return wait
}

func (r *rescuer) rescue(ctx context.Context) (int, error) {
	dead, err := r.store.Dead(ctx)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	for name := range r.since {
		if !slices.Contains(dead, name) {
			delete(r.since, name)
		}
	}
	var gone []string
	for _, name := range dead {
		if since, seen := r.since[name]; !seen {
			r.since[name] = now
		} else if now.Sub(since) >= graceTime {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	return r.store.Rescue(ctx, gone, r.own)
}
