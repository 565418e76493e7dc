package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pickup inserts orders into an idle service, one at a time.
func (m *machine) pickup(ctx context.Context, n int) error {
	return m.onSite(ctx, func(s *site) error {
		files := tree{s.data(), n + 1}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		err := s.work(ctx, 4, func(ctx context.Context, _ process) error {
			for i, path := range files.paths() {
				if err := insert(ctx, s.pool, []string{path}); err != nil {
					return err
				}
				if err := await(ctx, s.pool, i+1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		// Both times are the database's clock: of the insert, and of the stage.
		// The first order is left out: it waits for the service to start.
		rows, err := s.pool.Query(ctx, `SELECT 1000 * extract(epoch FROM s."timestamp" - p."timestamp")::float8
			FROM public.imports p JOIN public.imports s USING (uuid)
			WHERE p.stage = 'Import Pending' AND s.stage = 'Import Started' ORDER BY p.id OFFSET 1`)
		if err != nil {
			return err
		}
		times, err := pgx.CollectRows(rows, pgx.RowTo[float64])
		if err != nil {
			return err
		}
		commit, err := commitTime(ctx, s.pool)
		if err != nil {
			return err
		}
		slices.Sort(times)
		fmt.Fprintf(os.Stdout, "pickup of %d orders, INSERT to Import Started: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms; one commit takes %.2f ms\n",
			len(times), quantile(times, .5), quantile(times, .95), quantile(times, .99), commit)
		return nil
	})
}

var image = []byte("II*\x00pixels")

// insert places n orders of one file each in one statement, and returns when
// they are committed.
func insert(ctx context.Context, pool *pgxpool.Pool, files []string) error {
	_, err := pool.Exec(ctx, `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', gen_random_uuid()::text, json_build_array(f)::text
		FROM unnest($1::text[]) f`, files)
	return err
}

// await waits until n orders have ended. Counting those takes the server's time, so it
// is done once nothing is under way any more.
func await(ctx context.Context, pool *pgxpool.Pool, n int) error {
	return until(ctx, 50*time.Millisecond, 10*time.Minute, func() (bool, error) {
		var idle bool
		err := pool.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM importer.inbox)
			AND NOT EXISTS (SELECT FROM importer.orders WHERE state = 'running')
			AND NOT EXISTS (SELECT FROM importer.orders WHERE state = 'queued')`).Scan(&idle)
		if err != nil || !idle {
			return false, err
		}
		var completed, failed int
		err = pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed')
			FROM importer.orders`).Scan(&completed, &failed)
		if err == nil && failed > 0 {
			err = fmt.Errorf("%d orders failed", failed)
		}
		return completed >= n, err
	})
}

// commitTime is the median of a one-row insert, in milliseconds.
func commitTime(ctx context.Context, pool *pgxpool.Pool) (float64, error) {
	if _, err := pool.Exec(ctx, `CREATE TABLE public.commits (n int)`); err != nil {
		return 0, err
	}
	var times []float64
	for i := range 200 {
		began := time.Now()
		if _, err := pool.Exec(ctx, `INSERT INTO public.commits VALUES ($1)`, i); err != nil {
			return 0, err
		}
		times = append(times, milliseconds(time.Since(began)))
	}
	slices.Sort(times)
	return quantile(times, .5), nil
}
