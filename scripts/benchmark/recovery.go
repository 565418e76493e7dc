package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	// stuckTime is what imports take of an agent that is to be killed at them.
	stuckTime = time.Hour
	// resumedTime is what those of its successor take.
	resumedTime = time.Second
)

// recovery kills an agent with running orders, while others wait, and has another
// resume them; rounds times.
func (m *machine) recovery(ctx context.Context, rounds, running, queued int) error {
	return m.onSite(ctx, func(s *site) error {
		files := tree{s.data(), queueFiles}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		var times []float64
		placed := 0
		for round := range rounds {
			waiting, err := s.count(ctx, `SELECT count(*) FROM importer.inbox`)
			if err != nil {
				return err
			}
			more := running + queued - waiting
			if err := s.fill(ctx, files, more); err != nil {
				return err
			}
			placed += more
			took, err := s.killed(ctx, running, queued, round%2 == 1)
			if err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
			times = append(times, took.Seconds())
		}
		last, err := s.startAgent(ctx, running, importTime)
		if err != nil {
			return err
		}
		if err := errors.Join(s.ended(ctx, placed, 200*time.Millisecond), last.stop()); err != nil {
			return err
		}
		if err := s.exactlyOnce(ctx, placed); err != nil {
			return err
		}
		slices.Sort(times)
		fmt.Fprintf(os.Stdout, "recovery of %d running orders beside %d that wait, from kill -9 until all were resumed: median %.2f s, at most %.2f s (wanted 10) of %d rounds; all %d orders completed, 0 lost, 0 doubled\n",
			running, queued, quantile(times, .5), times[len(times)-1], rounds, placed)
		return nil
	})
}

// killed is one round: how long after the kill of an agent its orders are resumed by
// another, which is started at once, or runs already.
func (s *site) killed(ctx context.Context, running, queued int, beside bool) (took time.Duration, err error) {
	victim, err := s.startAgent(ctx, running, stuckTime)
	if err != nil {
		return 0, err
	}
	var uuids []string
	var runs []int64
	err = until(ctx, 20*time.Millisecond, time.Minute, func() (bool, error) {
		uuids, runs, err = victim.runs(ctx)
		return len(uuids) == running, err
	})
	waiting, cerr := s.count(ctx, `SELECT count(*) FROM importer.inbox`)
	if err := errors.Join(err, cerr); err != nil {
		return 0, errors.Join(err, victim.kill())
	}
	if waiting != queued {
		return 0, errors.Join(fmt.Errorf("%d orders wait instead of %d", waiting, queued), victim.kill())
	}
	var successor *agent
	start := func() { successor, err = s.startAgent(ctx, running, resumedTime) }
	if beside {
		start()
	}
	began := time.Now()
	err = errors.Join(err, victim.kill())
	if !beside && err == nil {
		start()
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, successor.stop()) }()
	err = until(ctx, 20*time.Millisecond, time.Minute, func() (bool, error) {
		resumed, err := s.count(ctx, `SELECT count(*) FROM unnest($1::text[], $2::bigint[]) v (uuid, run)
			JOIN importer.orders o ON o.uuid = v.uuid AND o.run > v.run`, uuids, runs)
		return resumed == running, err
	})
	if err != nil {
		return 0, fmt.Errorf("waiting for orders to be resumed: %w", err)
	}
	took = time.Since(began)
	// None of them is killed again: after five times it would be to blame.
	err = until(ctx, 100*time.Millisecond, time.Minute, func() (bool, error) {
		ended, err := s.count(ctx, `SELECT count(*) FROM importer.orders WHERE uuid = ANY ($1) AND ended_at IS NOT NULL`, uuids)
		return ended == running, err
	})
	return took, err
}
