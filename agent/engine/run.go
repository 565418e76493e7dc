package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// maxCrashes is how often an agent may die at an order before the order is to
// blame.
const maxCrashes = 5

// errUnsaved is a checkpoint or an end that could not be written. It says nothing
// of the order.
var errUnsaved = errors.New("the order's state could not be saved")

// run is one try at an attempt.
type run struct {
	engine  *Engine
	free    func()
	work    *tracking.Work
	log     *slog.Logger
	last    bool // no further try follows
	unsaved []tracking.File

	began time.Time
	noted time.Time // when its progress was noted last, or it began
	found []found   // the files, once they are checked
}

// carryOut does all that is to be done with an order that was taken up. Whatever
// happens, the order has ended then, or waits to be taken up again, or belongs to
// somebody else. free is called as soon as only its end is left to be written.
func (e *Engine) carryOut(ctx context.Context, work *tracking.Work, free func()) {
	log, closeLog, err := e.orderLog(work.Job.UUID)
	if err != nil {
		e.log.WarnContext(ctx, "the order has no log of its own", slog.String("order", work.Job.UUID), slog.Any("error", err))
		log, closeLog = e.log, func() error { return nil }
	}
	defer func() { _ = closeLog() }()
	r := &run{
		engine: e, free: free, work: work, last: work.Tries+1 >= e.config.MaxAttempts,
		log: log.With(slog.String("order", work.Job.UUID), slog.Int("attempt", work.Attempt)),
	}
	err = r.do(ctx)
	if err == nil || errors.Is(err, tracking.ErrNotMine) {
		return
	}
	wait, tried := time.Duration(0), false
	switch {
	case ctx.Err() != nil:
		r.log.InfoContext(ctx, "interrupted; to be resumed")
	case errors.Is(err, errUnsaved):
		wait = unsavedWait
		r.log.WarnContext(ctx, "to be resumed", slog.Any("error", err))
	default:
		wait, tried = e.config.backOff(work.Tries), true
		r.log.WarnContext(ctx, "to be tried again", slog.Int("try", work.Tries+1), slog.Duration("after", wait.Round(time.Second)), slog.Any("error", err))
	}
	r.putBack(ctx, wait, tried)
}

// unsavedWait is the pause after the database did not take an order's state.
const unsavedWait = 5 * time.Second

// putBack lets whoever is free resume the order. As long as this agent has its lock,
// nobody else could find out that it does not work on the order any more; so it
// goes on trying. Of an order that was cancelled or interrupted it tries once: the
// dispatcher finds that it is left over, or others do when the lock is gone.
func (r *run) putBack(ctx context.Context, wait time.Duration, tried bool) {
	for more := true; more; more = pause(ctx, time.Second) {
		failpoint.Hit(failpoint.Returning)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackTime)
		err := r.engine.store.PutBack(bound, r.work.Job, wait, tried, r.unsaved)
		cancel()
		if err == nil || errors.Is(err, tracking.ErrNotMine) {
			failpoint.Hit(failpoint.Returned)
			return
		}
		r.log.DebugContext(ctx, "the order cannot be put back yet", slog.Any("error", err))
	}
}

// putBackTime bounds what a stopping agent waits for the database.
const putBackTime = 3 * time.Second

// The pauses between tries: lastWait bounds them, give or take a quarter.
const (
	lastWait    = 40 * time.Minute
	longestWait = lastWait * 5 / 4
)

// backOff is the pause after a try, give or take a quarter, so that many orders do
// not come back together.
func (c *Config) backOff(tries int) time.Duration {
	wait := c.FirstWait
	for range tries {
		wait = min(5*wait, lastWait)
	}
	return time.Duration(float64(wait) * (0.75 + 0.5*rand.Float64())) //nolint:gosec // jitter is no secret
}

// do takes the order through its steps. A returned error means that the order
// has not ended.
func (r *run) do(ctx context.Context) error {
	r.began, r.found = time.Now(), make([]found, len(r.work.Files))
	r.noted = r.began
	o := &r.work.Order
	r.log.InfoContext(ctx, "order started", slog.String("user", o.User), slog.String("group", o.Group), slog.Int("files", len(o.Files)))
	err := r.steps(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errCancelled) {
		return r.end(ctx, r.cancelled())
	}
	if err != nil && (ctx.Err() != nil || errors.Is(err, tracking.ErrNotMine) || errors.Is(err, errUnsaved)) {
		return err
	}
	if err != nil && passes(err) && !r.last {
		return err
	}
	return r.end(ctx, err)
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
	if r.work.Cancelled {
		return r.cancelled()
	}
	if r.work.Faulty != nil {
		return r.work.Faulty
	}
	if r.work.Crashes >= maxCrashes {
		return order.Errorf(order.Invalid, "The importer stopped %d times while it worked on this order; its log may say why.", r.work.Crashes)
	}
	if err := within(ctx, "checking the files", r.engine.config.CheckTimeout, r.validate); err != nil {
		return err
	}
	failpoint.Hit(failpoint.Checked)
	return r.importFiles(ctx)
}

// cancelled says what became of an order that somebody cancelled.
func (r *run) cancelled() error {
	imported := 0
	for i := range r.work.Files {
		if r.work.Files[i].State == tracking.FileImported {
			imported++
		}
	}
	if imported == 0 {
		return order.Errorf(order.Invalid, "The order was cancelled.")
	}
	return order.Errorf(order.Invalid, "The order was cancelled after %d of %d files had been imported.", imported, len(r.work.Files))
}

// end writes the order's last stage and its files together.
func (r *run) end(ctx context.Context, fault error) error {
	end := tracking.End{Job: r.work.Job, Stage: order.Completed, Paths: r.work.Order.Files, Files: r.unsaved}
	if fault != nil {
		end.Stage, end.Reason = order.Failed, r.reason(fault)
	}
	if err := r.engine.store.Finish(ctx, end, r.free); err != nil {
		if errors.Is(err, tracking.ErrNotMine) {
			return err
		}
		return fmt.Errorf("%w: %w", errUnsaved, err)
	}
	if fault != nil {
		r.log.WarnContext(ctx, "order failed", slog.String("reason", end.Reason), slog.Any("error", fault),
			slog.Duration("took", time.Since(r.began)))
		return nil
	}
	r.log.InfoContext(ctx, "order completed", slog.Duration("took", time.Since(r.began)))
	return nil
}

// reason is the sentence that the researcher reads.
func (r *run) reason(fault error) string {
	if late, ok := errors.AsType[*lateError](fault); ok {
		return fmt.Sprintf("The import was tried %d times and did not succeed: %s.", r.work.Tries+1, late)
	}
	if passes(fault) {
		return fmt.Sprintf("The import was tried %d times and did not succeed; the importer's log for this order says why.", r.work.Tries+1)
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
	err := r.engine.store.SaveFiles(ctx, r.work.Job, r.unsaved)
	if errors.Is(err, tracking.ErrNotMine) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsaved, err)
	}
	r.unsaved = nil
	failpoint.Hit(failpoint.Saved)
	return nil
}
