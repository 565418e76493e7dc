package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const (
	queueUsers  = 50
	queueGroups = 5
	queueFiles  = 1000 // that all orders name
)

// queue has urgent orders placed while n others wait.
func (m *machine) queue(ctx context.Context, n, urgent int) error {
	return m.onSite(ctx, func(s *site) error {
		files := tree{s.data(), queueFiles}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		var idle, loaded []float64
		var used memory
		err := s.work(ctx, 4, func(ctx context.Context, _ process) (err error) {
			idle, err = s.placeUrgent(ctx, files, urgent)
			return err
		})
		if err != nil {
			return err
		}
		began := time.Now()
		if err := s.fill(ctx, files, n); err != nil {
			return err
		}
		filled := time.Since(began)
		var done, waiting int
		var took time.Duration
		err = s.work(ctx, 4, func(ctx context.Context, agent process) error {
			// What has been taken out of the queue is in the way until it is cleaned up.
			if err := s.ended(ctx, urgent+1+n/100, 50*time.Millisecond); err != nil {
				return err
			}
			before, err := s.count(ctx, `SELECT count(*) FROM importer.orders`)
			if err != nil {
				return err
			}
			began := time.Now()
			if loaded, err = s.placeUrgent(ctx, files, urgent); err != nil {
				return err
			}
			took = time.Since(began)
			if used, err = agent.memory(); err != nil {
				return err
			}
			after, err := s.count(ctx, `SELECT count(*) FROM importer.orders`)
			if err != nil {
				return err
			}
			done = after - before
			waiting, err = s.count(ctx, `SELECT count(*) FROM importer.inbox`)
			return err
		})
		if err != nil {
			return err
		}
		completed, err := s.count(ctx, `SELECT count(*) FROM importer.orders`)
		if err != nil {
			return err
		}
		if err := s.exactlyOnce(ctx, completed); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "queue of %d orders of %d users, placed at %.0f/s: pickup of %d urgent ones p50 %.2f ms, p99 %.2f ms (wanted 200), at most %.2f ms, beside %.0f orders/s; of an idle agent p50 %.2f ms, p99 %.2f ms; %d still wait\n",
			n, queueUsers, float64(n)/filled.Seconds(), urgent, quantile(loaded, .5), quantile(loaded, .99), loaded[len(loaded)-1], float64(done)/took.Seconds(),
			quantile(idle, .5), quantile(idle, .99), waiting)
		fmt.Fprintf(os.Stdout, "  memory of the agent: %.1f MB resident (wanted 150), at most %.1f, anonymous %.1f\n", used.resident, used.peak, used.anonymous)
		return nil
	})
}

// fill places n orders, in transactions of many, while no agent is there.
func (s *site) fill(ctx context.Context, files tree, n int) error {
	const lot = 50_000
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for first := 0; first < n; first += lot {
		group.Go(func() error {
			_, err := s.pool.Exec(groupCtx, `INSERT INTO public.imports
				(group_name, user_name, destination_id, destination_type, stage, uuid, files)
				SELECT 'group' || i % $3, 'user' || i % $4, '1', 'Dataset', 'Import Pending', gen_random_uuid()::text,
				       json_build_array(($5::text[])[1 + i % cardinality($5::text[])])::text
				FROM generate_series($1::int, $2::int) i`, first, min(first+lot, n)-1, queueGroups, queueUsers, files.paths())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// What this leaves to be written to disk is not the agent's to wait for.
	_, err := s.pool.Exec(ctx, `CHECKPOINT`)
	return err
}

// placeUrgent places urgent orders one at a time, and returns, sorted, how many
// milliseconds passed until each was begun. One before them, that is left out, waits
// for the agent to start.
func (s *site) placeUrgent(ctx context.Context, files tree, n int) ([]float64, error) {
	var uuids []string
	for i := range n + 1 {
		id := uuid.NewString()
		uuids = append(uuids, id)
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO importer.requests (uuid, priority) VALUES ($1, 100)`, id); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
				VALUES ('urgent', 'eve', '1', 'Dataset', 'Import Pending', $1, json_build_array($2::text)::text)`, id, files.path(i%files.n))
			return err
		})
		if err != nil {
			return nil, err
		}
		err = until(ctx, 5*time.Millisecond, time.Minute, func() (bool, error) {
			ended, err := s.count(ctx, `SELECT count(*) FROM importer.orders WHERE uuid = $1 AND ended_at IS NOT NULL`, id)
			return ended > 0, err
		})
		if err != nil {
			return nil, fmt.Errorf("waiting for an urgent order: %w", err)
		}
		// Without a pause orders would come in step with what the agent does.
		if err := rest(ctx, rand.N(20*time.Millisecond)); err != nil { //nolint:gosec // no secret
			return nil, err
		}
	}
	times, err := s.pickups(ctx, uuids[1:])
	if err == nil && len(times) != n {
		err = fmt.Errorf("%d of %d urgent orders were begun: %s", len(times), n, strings.Join(uuids, ", "))
	}
	return times, err
}

// pickups is how many milliseconds after its insert each of these orders was begun,
// sorted. Both times are the database's clock.
func (s *site) pickups(ctx context.Context, uuids []string) ([]float64, error) {
	rows, err := s.pool.Query(ctx, `SELECT 1000 * extract(epoch FROM s."timestamp" - p."timestamp")::float8
		FROM public.imports p JOIN public.imports s USING (uuid)
		WHERE p.uuid = ANY ($1) AND p.stage = 'Import Pending' AND s.stage = 'Import Started'`, uuids)
	if err != nil {
		return nil, err
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[float64])
	slices.Sort(times)
	return times, err
}

func (s *site) count(ctx context.Context, query string, args ...any) (n int, err error) {
	return n, s.pool.QueryRow(ctx, query, args...).Scan(&n)
}

// ended waits until n orders have.
func (s *site) ended(ctx context.Context, n int, every time.Duration) error {
	return until(ctx, every, 10*time.Minute, func() (bool, error) {
		ended, err := s.count(ctx, `SELECT count(*) FROM importer.orders WHERE ended_at IS NOT NULL`)
		return ended >= n, err
	})
}
