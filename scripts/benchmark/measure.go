package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/tracking"
)

// pickup inserts orders into an idle service, one at a time.
func (m *machine) pickup(ctx context.Context, n int) (err error) {
	url, pool, err := m.database(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	data, stop, err := m.service(ctx, url, 4)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	paths, err := files(data, n+1)
	if err != nil {
		return err
	}
	for i, path := range paths {
		if err := insert(ctx, pool, []string{path}); err != nil {
			return err
		}
		if _, err := await(ctx, pool, i+1); err != nil {
			return err
		}
	}
	// Both times are the database's clock: of the insert, and of the stage.
	// The first order is left out: it waits for the service to start.
	rows, err := pool.Query(ctx, `SELECT 1000 * extract(epoch FROM s."timestamp" - p."timestamp")::float8
		FROM public.imports p JOIN public.imports s USING (uuid)
		WHERE p.stage = 'Import Pending' AND s.stage = 'Import Started' ORDER BY p.id OFFSET 1`)
	if err != nil {
		return err
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[float64])
	if err != nil {
		return err
	}
	commit, err := commitTime(ctx, pool)
	if err != nil {
		return err
	}
	slices.Sort(times)
	at := func(q float64) float64 { return times[min(int(q*float64(len(times))), len(times)-1)] }
	fmt.Fprintf(os.Stdout, "pickup of %d orders, INSERT to Import Started: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms; one commit takes %.2f ms\n",
		len(times), at(.5), at(.95), at(.99), commit)
	return nil
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
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// orders inserts n orders at once and waits for all, for each number of workers.
func (m *machine) orders(ctx context.Context, n int, workers ...int) error {
	for _, w := range workers {
		ours, err := m.orderRate(ctx, n, w)
		if err != nil {
			return err
		}
		noop, err := m.riverRate(ctx, n, w)
		if err != nil {
			return err
		}
		links, err := m.linkRate(n, w)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%d orders, %d workers: %.0f orders/s; River's no-op jobs %.0f/s, ratio %.3f; folder and link on this disk %.0f/s, ratio %.3f\n",
			n, w, ours, noop, ours/noop, links, ours/links)
	}
	return nil
}

func (m *machine) orderRate(ctx context.Context, n, workers int) (rate float64, err error) {
	url, pool, err := m.database(ctx)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	data, stop, err := m.service(ctx, url, workers)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	paths, err := files(data, n+1)
	if err != nil {
		return 0, err
	}
	// The first shows that the service has started.
	if err := insert(ctx, pool, paths[:1]); err != nil {
		return 0, err
	}
	if _, err := await(ctx, pool, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := insert(ctx, pool, paths[1:]); err != nil {
		return 0, err
	}
	ended, err := await(ctx, pool, n+1)
	return float64(n) / ended.Sub(began).Seconds(), err
}

type noopArgs struct{}

func (noopArgs) Kind() string { return "noop" }

type noop struct {
	river.WorkerDefaults[noopArgs]
	done chan struct{}
}

func (w *noop) Work(context.Context, *river.Job[noopArgs]) error {
	w.done <- struct{}{}
	return nil
}

// riverRate is the job queue alone, as the service configures it.
func (m *machine) riverRate(ctx context.Context, n, workers int) (float64, error) {
	_, pool, err := m.database(ctx)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	worker := &noop{done: make(chan struct{}, n)}
	registered := river.NewWorkers()
	river.AddWorker(registered, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: tracking.Schema, FetchCooldown: time.Millisecond, Logger: quiet, Workers: registered,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
	})
	if err != nil {
		return 0, err
	}
	params := make([]river.InsertManyParams, n)
	for i := range params {
		params[i].Args = noopArgs{}
	}
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := client.InsertManyFast(ctx, params); err != nil {
		return 0, err
	}
	for range n {
		select {
		case <-worker.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	rate := float64(n) / time.Since(began).Seconds()
	return rate, client.Stop(ctx)
}

// linkRate is what every import has to do to the disk: a folder and a link.
func (m *machine) linkRate(n, workers int) (float64, error) {
	m.serial++
	dir := filepath.Join(m.dir, fmt.Sprint("links", m.serial))
	if err := os.Mkdir(dir, 0o750); err != nil {
		return 0, err
	}
	var group errgroup.Group
	group.SetLimit(workers)
	began := time.Now()
	for i := range n {
		group.Go(func() error {
			folder := filepath.Join(dir, strconv.Itoa(i))
			return errors.Join(os.Mkdir(folder, 0o750), os.Symlink("/nowhere", filepath.Join(folder, "img.tif")))
		})
	}
	err := group.Wait()
	return float64(n) / time.Since(began).Seconds(), err
}
