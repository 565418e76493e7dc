package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sync/errgroup"
)

// orders inserts n orders at once and waits for all, for each number of workers. What
// it is compared with goes before and after: a machine that others share changes its pace.
func (m *machine) orders(ctx context.Context, n int, workers ...int) error {
	for _, w := range workers {
		before, err := m.riverRate(ctx, n, w)
		if err != nil {
			return err
		}
		ours, err := m.orderRate(ctx, n, w)
		if err != nil {
			return err
		}
		after, err := m.riverRate(ctx, n, w)
		if err != nil {
			return err
		}
		links, err := m.linkRate(n, w)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%d orders, %d workers: %.0f orders/s; River's no-op jobs %.0f/s before and %.0f/s after, ratio %.3f; folder and link on this disk %.0f/s, ratio %.3f\n",
			n, w, ours, before, after, ours/((before+after)/2), links, ours/links)
	}
	return nil
}

func (m *machine) orderRate(ctx context.Context, n, workers int) (rate float64, err error) {
	err = m.onSite(ctx, func(s *site) error {
		files := tree{s.data(), n + 1}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		paths := files.paths()
		return s.work(ctx, workers, func(ctx context.Context, _ process) error {
			// The first shows that the service has started.
			if err := insert(ctx, s.pool, paths[:1]); err != nil {
				return err
			}
			if err := await(ctx, s.pool, 1); err != nil {
				return err
			}
			began := time.Now()
			if err := insert(ctx, s.pool, paths[1:]); err != nil {
				return err
			}
			err := await(ctx, s.pool, n+1)
			rate = float64(n) / time.Since(began).Seconds()
			return err
		})
	})
	return rate, err
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
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return 0, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return 0, err
	}
	worker := &noop{done: make(chan struct{}, n)}
	registered := river.NewWorkers()
	river.AddWorker(registered, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown: time.Millisecond, Logger: quiet, Workers: registered,
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
