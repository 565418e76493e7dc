package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// worker runs one job: one attempt at one order.
type worker struct {
	river.WorkerDefaults[jobArgs]
	engine *Engine
}

// Work implements river.Worker. An error has the job tried again later; an
// order that has ended, in whatever way, is a job well done.
func (w *worker) Work(ctx context.Context, job *river.Job[jobArgs]) error {
	e := w.engine
	log, closeLog, err := e.orderLog(job.Args.UUID)
	if err != nil {
		e.log.WarnContext(ctx, "the order has no log of its own", slog.String("order", job.Args.UUID), slog.Any("error", err))
		log, closeLog = e.log, func() error { return nil }
	}
	defer func() { _ = closeLog() }()
	run := &run{
		engine:  e,
		log:     log.With(slog.String("order", job.Args.UUID), slog.Int("attempt", job.Args.Attempt)),
		attempt: tracking.Attempt{UUID: job.Args.UUID, Number: job.Args.Attempt},
		job:     tracking.Job{ID: job.ID, Agent: job.AttemptedBy[len(job.AttemptedBy)-1], Since: *job.AttemptedAt},
		last:    job.Attempt >= job.MaxAttempts,
		complete: func(ctx context.Context, tx pgx.Tx) error {
			_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
			return err
		},
	}
	err = run.do(ctx)
	switch {
	case errors.Is(err, tracking.ErrNotMine):
		return nil
	case err != nil && ctx.Err() != nil:
		run.log.InfoContext(ctx, "interrupted; to be resumed")
		return w.giveBack(ctx, run)
	case err != nil:
		run.log.WarnContext(ctx, "to be tried again", slog.Int("try", job.Attempt), slog.Any("error", err))
	}
	return err
}

// giveBack lets the next agent resume an interrupted order at once.
func (w *worker) giveBack(ctx context.Context, r *run) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	err := w.engine.store.GiveBack(ctx, r.job, r.attempt, enqueuer(client))
	if err != nil && !errors.Is(err, tracking.ErrNotMine) {
		r.log.DebugContext(ctx, "left to be rescued", slog.Any("error", err))
		return river.JobSnooze(0)
	}
	return nil
}

// giveBackTime bounds what a stopping agent waits for the database.
const giveBackTime = 3 * time.Second

// maxCrashes is how often an agent may die at an order before the order is to
// blame.
const maxCrashes = 5

// errUnsaved is a checkpoint that failed. It says nothing of the order.
var errUnsaved = errors.New("the files' state could not be saved")

// run is one try at an attempt.
type run struct {
	engine   *Engine
	log      *slog.Logger
	attempt  tracking.Attempt
	job      tracking.Job
	last     bool // no further try follows
	complete func(context.Context, pgx.Tx) error

	work    *tracking.Work
	unsaved []tracking.File
}

// do takes the order through its steps. A returned error means that the order
// has not ended.
func (r *run) do(ctx context.Context) error {
	began := time.Now()
	work, err := r.engine.store.Begin(ctx, r.job, r.attempt)
	if err != nil {
		return err
	}
	r.work = work
	r.log.InfoContext(ctx, "order started", slog.String("user", work.Order.User), slog.String("group", work.Order.Group),
		slog.Int("files", len(work.Order.Files)))
	err = r.steps(ctx)
	if err != nil && (ctx.Err() != nil || errors.Is(err, tracking.ErrNotMine) || errors.Is(err, errUnsaved)) {
		return err
	}
	if err != nil && passes(err) && !r.last {
		return errors.Join(err, r.save(ctx))
	}
	return r.end(ctx, began, err)
}

// steps returns nil when the order is complete. A panic in a step is a fault
// of this order alone.
func (r *run) steps(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(ctx, "a step crashed", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("a step crashed: %v", p)
		}
	}()
	if r.work.Faulty != nil {
		return r.work.Faulty
	}
	if r.work.Crashes >= maxCrashes {
		return order.Errorf(order.Invalid, "The importer stopped %d times while it worked on this order; its log may say why.", r.work.Crashes)
	}
	if err := r.validate(ctx); err != nil {
		return err
	}
	return r.importFiles(ctx)
}

// end writes the order's last stage, its files and its job's end together.
func (r *run) end(ctx context.Context, began time.Time, fault error) error {
	out := tracking.Outcome{Stage: order.Completed, Paths: r.work.Order.Files, Files: r.unsaved}
	if fault != nil {
		out.Stage, out.Reason = order.Failed, r.reason(fault)
	}
	if err := r.engine.store.Finish(ctx, r.job, r.attempt, out, r.complete); err != nil {
		return err
	}
	if fault != nil {
		r.log.WarnContext(ctx, "order failed", slog.String("reason", out.Reason), slog.Any("error", fault),
			slog.Duration("took", time.Since(began)))
		return nil
	}
	r.log.InfoContext(ctx, "order completed", slog.Duration("took", time.Since(began)))
	return nil
}

// reason is the sentence that the researcher reads.
func (r *run) reason(fault error) string {
	if passes(fault) {
		return fmt.Sprintf("The import was tried %d times and did not succeed; the importer's log for this order says why.", maxTries)
	}
	return fault.Error()
}

// passes reports whether trying again unchanged may help.
func passes(err error) bool {
	switch order.ClassOf(err) {
	case order.Invalid, order.Denied:
		return false
	default:
		return true
	}
}

// save checkpoints the files decided since the last time.
func (r *run) save(ctx context.Context) error {
	if len(r.unsaved) == 0 {
		return nil
	}
	if err := r.engine.store.SaveFiles(ctx, r.job, r.attempt.UUID, r.unsaved); err != nil {
		return fmt.Errorf("%w: %w", errUnsaved, err)
	}
	r.unsaved = nil
	return nil
}
