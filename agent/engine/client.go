package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"biomero-importer/agent/tracking"
)

// maxTries is how often a fault that may pass is met before the order fails.
const maxTries = 5

// jobArgs names the attempt that a job carries out.
type jobArgs struct {
	UUID    string `json:"uuid"`
	Attempt int    `json:"attempt"`
}

// Kind implements river.JobArgs.
func (jobArgs) Kind() string { return "order" }

func (e *Engine) newClient(name string) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{engine: e}); err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(e.store.Pool()), &river.Config{
		ID:     name,
		Schema: tracking.Schema,
		Logger: slog.New(atLeast{e.log.Handler(), slog.LevelWarn}),
		// The default of 100 ms would cap four workers at 40 orders a second.
		FetchCooldown: time.Millisecond,
		// An import may run for hours; liveness is the agents' locks.
		JobTimeout:           -1,
		RescueStuckJobsAfter: 10 * 365 * 24 * time.Hour,
		MaxAttempts:          maxTries,
		RetryPolicy:          backOff{},
		SoftStopTimeout:      max(e.config.ShutdownTimeout, time.Nanosecond),
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: e.config.Workers}},
		Workers:              workers,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	return client, nil
}

// enqueuer inserts jobs through client.
func enqueuer(client *river.Client[pgx.Tx]) tracking.Enqueue {
	return func(ctx context.Context, tx pgx.Tx, due []tracking.Attempt) ([]int64, error) {
		params := make([]river.InsertManyParams, len(due))
		for i, a := range due {
			params[i].Args = jobArgs{UUID: a.UUID, Attempt: a.Number}
		}
		inserted, err := client.InsertManyTx(ctx, tx, params)
		if err != nil {
			return nil, fmt.Errorf("inserting jobs: %w", err)
		}
		ids := make([]int64, len(inserted))
		for i, r := range inserted {
			ids[i] = r.Job.ID
		}
		return ids, nil
	}
}

// backOff waits 2, 4, 8, 16 seconds, give or take a fifth.
type backOff struct{}

// NextRetry implements river.ClientRetryPolicy.
func (backOff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := time.Second << min(max(len(job.Errors), 0)+1, 6)
	return time.Now().Add(time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))) //nolint:gosec // jitter is no secret
}

// atLeast passes on records from a level up: River tells of each job at info.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}
