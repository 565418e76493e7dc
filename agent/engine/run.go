package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/spool"
	"biomero-importer/agent/tracking"
)

// maxCrashes is how often an agent may die at an order before the order is to
// blame.
const maxCrashes = 5

// run is one try at an attempt.
type run struct {
	engine  *Engine
	free    func()
	work    *tracking.Work
	log     *slog.Logger
	last    bool // no further try follows
	unsaved []tracking.File

	begun func() error // waits until it is noted that a worker has begun
	began time.Time
	noted time.Time // when its progress was noted last, or it began

	listed *spool.List // the order's files
	unread error       // why that is not all of them
	kept   []bool      // those that are imported
	todo   *spool.List // entries, once the files are checked
	above  string      // the nearest folder that holds all of these

	unsettled   atomic.Bool // something may be imported that is not noted
	importing   sync.Mutex  // of imports, while several files are converted
	description description // under importing
	mu          sync.Mutex  // of what follows, and of unsaved, meanwhile
	arrived     []*imports  // what waits to be imported
	tally       tally
	converting  converting
	budget      budget
}

// carryOut does all that is to be done with an order that was taken up. Whatever
// happens, the order has ended then, or waits to be taken up again, or belongs to
// somebody else. free is called as soon as only its end is left to be written, or it is to
// do without a worker.
func (e *Engine) carryOut(ctx context.Context, work *tracking.Work, free func()) {
	r := &run{
		engine: e, free: free, work: work, last: work.Tries+1 >= e.config.MaxAttempts,
		listed: spool.New(e.config.SpoolDir), todo: spool.New(e.config.SpoolDir),
		converting: converting{parts: map[int]int64{}},
	}
	defer func() { _ = errors.Join(r.listed.Close(), r.todo.Close()) }()
	defer e.leave(ctx, work.Job.UUID)
	e.config.Observer.Working(1)
	defer e.config.Observer.Working(-1)
	r.unsettled.Store(work.Job.Run > 1)
	r.begin(ctx) // before a slow disk lets later orders pass
	log, closeLog, err := e.orderLog(work.Job.UUID)
	if err != nil {
		e.log.WarnContext(ctx, "the order has no log of its own", slog.String("order", work.Job.UUID), slog.Any("error", err))
		log, closeLog = e.log, func() error { return nil }
	}
	defer func() { _ = closeLog() }()
	r.log = log.With(slog.String("order", work.Job.UUID), slog.Int("attempt", work.Attempt))
	err = r.do(ctx)
	if err == nil || errors.Is(err, tracking.ErrNotMine) {
		return
	}
	keptBy := hindered(err)
	if ctx.Err() == nil {
		e.config.Observer.Fault(faultOf(err))
	}
	switch {
	case ctx.Err() != nil:
		r.log.InfoContext(ctx, "interrupted; to be resumed")
		r.putBack(ctx, 0, false, "")
	case keptBy != nil:
		wait := keptBy.wait
		if errors.Is(err, errCrowded) {
			wait = e.returns.after(wait)
		}
		r.log.WarnContext(ctx, "to be resumed", slog.Duration("after", wait), slog.Any("error", err))
		r.putBack(ctx, wait, false, keptBy.why)
	default:
		wait := e.config.backOff(work.Tries)
		r.log.WarnContext(ctx, "to be tried again", slog.Int("try", work.Tries+1), slog.Duration("after", wait.Round(time.Second)), slog.Any("error", err))
		r.putBack(ctx, wait, true, "The import did not succeed, for a reason that may pass; it is tried again.")
	}
}

// settle has the links of all that the order has imported lead to where what was converted
// stays.
func (r *run) settle(ctx context.Context) error {
	var look func() (*tracking.Work, error)
	if r.unsettled.Load() {
		look = func() (*tracking.Work, error) { return r.work, nil }
	}
	err := r.engine.settle(ctx, r.work.Order.UUID, look)
	if err == nil {
		r.unsettled.Store(false)
	}
	return err
}

// putBack lets whoever is free resume the order. As long as this agent has its lock,
// nobody else could find out that it does not work on the order any more; so it
// goes on trying. Of an order that was cancelled or interrupted it tries once: the
// dispatcher finds that it is left over, or others do when the lock is gone.
func (r *run) putBack(ctx context.Context, wait time.Duration, tried bool, why string) {
	for more := true; more; more = pause(ctx, time.Second) {
		failpoint.Hit(failpoint.Returning)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackTime)
		err := r.engine.store.PutBack(bound, r.work.Job, wait, tried, why, r.unsaved)
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
	r.began = time.Now()
	r.noted = r.began
	o := &r.work.Order
	r.log.InfoContext(ctx, "order started", slog.String("user", o.User), slog.String("group", o.Group), slog.Int("files", r.listed.Len()))
	defer func() { _ = r.begun() }()
	err := guarded(ctx, r.log, r.steps)
	if err != nil && errors.Is(context.Cause(ctx), errCancelled) {
		r.engine.config.Observer.Fault(FaultCancelled)
		return r.end(ctx, r.cancelled())
	}
	if stopped(ctx, err) {
		return err
	}
	if err != nil && passes(err) && !r.last {
		return err
	}
	switch {
	case r.work.Cancelled:
		r.engine.config.Observer.Fault(FaultCancelled)
	case err != nil:
		r.engine.config.Observer.Fault(faultOf(err))
	}
	return r.end(ctx, err)
}

// begin lists the order's files, which its stage names, and has it noted that a worker has
// begun. One that is resumed may have killed an agent that could not note any more that it
// had begun: of that it is noted first. Nor is one listed again that killed several.
func (r *run) begin(ctx context.Context) {
	if r.work.Resumed {
		r.beginBeside(ctx)
		if r.unread = r.begun(); r.unread != nil {
			return
		}
	}
	if r.work.Crashes < maxCrashes {
		r.unread = guarded(ctx, r.engine.log, r.engine.timedIn(StepList, r.list), slog.String("order", r.work.Job.UUID))
	}
	if r.begun == nil {
		r.beginBeside(ctx)
	}
}

// beginBeside notes that a worker has begun with the order, while it does.
func (r *run) beginBeside(ctx context.Context) {
	done := make(chan error, 1)
	r.engine.crew.do(func() { done <- r.engine.store.Begin(ctx, r.work) })
	r.begun = sync.OnceValue(func() error { return unsaved(<-done) })
}

// guarded does a step. A panic there is a fault of this order alone.
func guarded(ctx context.Context, log *slog.Logger, step func(context.Context) error, attrs ...slog.Attr) (err error) {
	defer func() {
		if p := recover(); p != nil {
			attrs = append(attrs, slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			log.LogAttrs(ctx, slog.LevelError, "a step crashed", attrs...)
			err = fmt.Errorf("a step crashed: %v", p)
		}
	}()
	return step(ctx)
}

// steps returns nil when the order is complete.
func (r *run) steps(ctx context.Context) error {
	if r.work.Cancelled {
		return r.cancelled()
	}
	if err := cmp.Or(r.work.Faulty, r.unread); err != nil {
		return err
	}
	if r.work.Crashes >= maxCrashes {
		return order.Errorf(order.Invalid, "The importer stopped %d times while it worked on this order; its log may say why.", r.work.Crashes)
	}
	if err := within(ctx, "checking the files", r.engine.config.CheckTimeout, r.engine.timedIn(StepCheck, r.validate)); err != nil {
		return err
	}
	failpoint.Hit(failpoint.Checked)
	if r.todo.Len() > 0 {
		if err := r.engine.timedIn(StepPrepare, r.prepare)(ctx); err != nil {
			return err
		}
	}
	if r.work.Order.Converter != nil {
		return r.convertFiles(ctx)
	}
	return r.importFiles(ctx)
}

// end writes the order's last stage and its files together.
func (r *run) end(ctx context.Context, fault error) error {
	end := tracking.End{Job: r.work.Job, Stage: order.Completed, Names: r.work.Names, Files: r.unsaved}
	if fault != nil {
		end.Stage, end.Reason = order.Failed, r.reason(fault)
	}
	r.free()
	if err := r.begun(); err != nil {
		return err
	}
	r.discard(ctx) // while the order is this run's: the next attempt has its own
	if err := r.engine.timed(StepEnd, func() error { return unsaved(r.engine.store.Finish(ctx, end)) }); err != nil {
		return err
	}
	r.engine.config.Observer.Ended(end.Stage, time.Since(r.began))
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
	if err := unsaved(r.engine.store.SaveFiles(ctx, r.work.Job, r.unsaved)); err != nil {
		return err
	}
	r.unsaved = nil
	failpoint.Hit(failpoint.Saved)
	return nil
}
