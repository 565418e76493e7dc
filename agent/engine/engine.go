package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// Config is the engine's settings.
type Config struct {
	Workers         int           // orders carried out at the same time
	PerDestination  int           // orders of one destination carried out at the same time, by all agents; 0: any number
	MaxAttempts     int           // how often a fault that may pass is met before the order fails
	FirstWait       time.Duration // the pause after the first such; each later one is five times as long, up to 40 minutes
	CheckTimeout    time.Duration // for checking an order's files
	ImportTimeout   time.Duration // for importing a batch of files
	Batch           int           // files that are imported between two checkpoints; 0 for 500
	SpoolDir        string        // a folder for long lists of files while their orders are carried out
	ShutdownTimeout time.Duration // how long running orders may go on once Run's context ends
	Conversions     Conversions
	Observer        Observer // nil for nobody
}

// Backend imports files. A request repeated with the same order imports
// nothing twice.
type Backend interface {
	// Prepare finds out, before anything is made, whether the order's user may import into
	// its destination. The mark that it returns the first time is given back later, when the
	// order is gone on with.
	Prepare(ctx context.Context, o importer.Order) (mark string, err error)
	// Import imports a batch. Where ctx ends with no cause but context.Canceled, the order is
	// gone on with later, or by somebody else already.
	Import(ctx context.Context, req importer.Request) ([]importer.Result, error)
	// Folders hold the links of all that an order has imported.
	Folders(ctx context.Context, o importer.Order) ([]string, error)
	// Done releases what the others hold for an order. They may be called again.
	Done(ctx context.Context, uuid string)
}

// OrderLog opens the log of one order.
type OrderLog func(uuid string) (log *slog.Logger, closeLog func() error, err error)

// Engine takes orders from the database and carries them out.
type Engine struct {
	config   Config
	store    *tracking.Store
	share    *importer.Share
	backend  Backend
	orderLog OrderLog
	log      *slog.Logger
	abort    chan struct{}
	once     sync.Once

	converting chan struct{} // has room for one more converter
	aside      chan struct{} // has room for one more order that is converted
	returns    returns
	crew       crew

	turned atomic.Int64 // when the dispatcher came round last, in nanoseconds since began; 0 while there is none
	began  time.Time

	own    []string // names under which sessions have worked
	former []string // those under which nothing is done any more
}

// New makes an engine; Run starts it.
func New(c Config, store *tracking.Store, share *importer.Share, backend Backend, orderLog OrderLog, log *slog.Logger) *Engine {
	c.Batch = cmp.Or(c.Batch, batchSize)
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	return &Engine{
		config: c, store: store, share: share, backend: backend, orderLog: orderLog, log: log, began: time.Now(),
		abort: make(chan struct{}), converting: make(chan struct{}, c.Conversions.Workers), aside: make(chan struct{}, asideFactor*c.Conversions.Workers),
		crew: newCrew(),
	}
}

// Abort makes a Run that is stopping cancel its running orders now. They are
// resumed by whoever runs next.
func (e *Engine) Abort() { e.once.Do(func() { close(e.abort) }) }

// maxOwn bounds the names of sessions that are remembered.
const maxOwn = 100

// errLockLost ends a session whose hold on its orders is gone.
var errLockLost = errors.New("the agent's lock is lost")

// Run takes and carries out orders, once, until ctx ends, then lets running ones
// finish within the shutdown timeout. A broken database connection does not
// end it.
func (e *Engine) Run(ctx context.Context) error {
	defer e.crew.dismiss()
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { e.tidy(ctx) })
	for ctx.Err() == nil {
		err := e.session(ctx)
		if err != nil && ctx.Err() == nil {
			e.config.Observer.Session(err)
			e.log.WarnContext(ctx, "the engine lost the database and starts again", slog.Any("error", err))
			pause(ctx, time.Second)
		}
	}
	return nil
}

// session works under one name for as long as the lock of that name holds.
func (e *Engine) session(ctx context.Context) error {
	name := agentName()
	agent := tracking.Agent{Name: name, PerDestination: e.config.PerDestination}
	hold, err := e.store.Hold(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = hold.Release(context.WithoutCancel(ctx)) }()
	if err := e.store.GiveBack(ctx, e.former); err != nil {
		return err
	}
	e.former = nil
	e.own = append(e.own, name)
	e.own = e.own[max(len(e.own)-maxOwn, 0):]
	e.config.Observer.Session(nil)
	e.log.DebugContext(ctx, "taking orders", slog.String("agent", name), slog.Int("workers", e.config.Workers))
	lasting := context.WithoutCancel(ctx)
	// Orders do not end with ctx: drain gives them their time.
	jobs, cancelJobs := context.WithCancel(lasting)
	defer cancelJobs()
	var workers sync.WaitGroup
	d := &dispatcher{
		store: e.store, agent: agent, log: e.log, turn: e.turn, observer: e.config.Observer, wake: make(chan struct{}, 1), slots: newSlots(e.config.Workers),
		running: running{cancels: map[tracking.Job]context.CancelCauseFunc{}},
	}
	d.start = func(w *tracking.Work) {
		jobCtx, remove := d.running.add(jobs, w.Job)
		workers.Add(1)
		e.crew.do(func() {
			e.attend(jobCtx, d, w)
			remove()
			d.signal()
			workers.Done() // none of this where it panics: nobody is to end the process in good order then
		})
	}
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	group, groupCtx := errgroup.WithContext(taking)
	group.Go(func() error {
		defer e.turned.Store(0)
		return d.run(groupCtx, jobs)
	})
	group.Go(func() error { return d.listen(groupCtx) })
	group.Go(func() error { return (&rescuer{store: e.store, log: e.log, own: slices.Clone(e.own)}).run(groupCtx) })
	// The lock is watched until the last order has ended.
	watching, stopWatching := context.WithCancel(lasting)
	defer stopWatching()
	lost, watched := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(watched)
		lost <- watch(watching, hold)
	}()
	select {
	case <-ctx.Done():
	case err = <-lost:
		stopTaking()
		cancelJobs()
		e.store.Renew()
		lost <- err // for drain
	}
	stopTaking()
	idle := make(chan struct{})
	var taken error
	go func() {
		defer close(idle)
		taken = group.Wait() // nothing is taken up any more
		ending, ended := context.WithCancel(lasting)
		var ends sync.WaitGroup
		ends.Go(func() { d.endCancelled(ending) })
		workers.Wait()
		ended()
		ends.Wait()
	}()
	if e.drain(ctx, cancelJobs, idle, lost) {
		err = errors.Join(err, ignoreCancel(taken))
		e.former = append(e.former, name)
	}
	stopWatching()
	<-watched // before the lock's connection is closed
	return err
}

// attend carries out an order once it has a worker, or puts it back where it is to stop before.
func (e *Engine) attend(ctx context.Context, d *dispatcher, w *tracking.Work) {
	leave := d.slots.enter(ctx)
	if leave == nil {
		defer d.done()
		(&run{engine: e, work: w, log: e.log}).putBack(ctx, 0, false, "")
		return
	}
	free := sync.OnceFunc(func() {
		leave()
		d.done()
	})
	defer free()
	e.carryOut(ctx, w, free)
}

// drain lets running orders end, for as long as the lock holds, and then cancels
// them. It reports whether all have returned.
func (e *Engine) drain(ctx context.Context, cancelJobs func(), idle <-chan struct{}, lost <-chan error) bool {
	late := time.NewTimer(e.config.ShutdownTimeout)
	defer late.Stop()
	select {
	case <-idle:
		return true
	case <-late.C:
	case <-e.abort:
	case err := <-lost:
		e.log.DebugContext(ctx, "orders are cancelled", slog.Any("reason", err))
	}
	cancelJobs()
	late.Reset(cancelGrace)
	select {
	case <-idle:
		return true
	case <-late.C: // what does not return is fenced: its orders are another run's by then
		e.log.WarnContext(ctx, "some orders did not stop in time; they are resumed at the next start")
		return false
	}
}

// cancelGrace is how long cancelled orders have to return. What the database was asked
// and never answers may take longer: that is given up, and resumed as after a crash.
const cancelGrace = 10 * time.Second

// watch returns when the lock is lost or ctx ends.
func watch(ctx context.Context, hold *tracking.Hold) error {
	for pause(ctx, lockEvery) {
		if err := hold.Check(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(errLockLost, err)
		}
	}
	return nil
}

// turn notes that the dispatcher comes round.
func (e *Engine) turn() { e.turned.Store(max(int64(time.Since(e.began)), 1)) }

// Still is for how long the dispatcher has not come round. Each round has a deadline of
// 30 seconds, whatever the database does; while the database is away there is no
// dispatcher, and nothing stands still.
func (e *Engine) Still() time.Duration {
	turned := e.turned.Load()
	if turned == 0 {
		return 0
	}
	return time.Since(e.began) - time.Duration(turned)
}

// agentName is new for every session, so that what an earlier one left behind
// is seen as such.
func agentName() string { return ProcessName() + "-" + uuid.NewString()[:8] }

// ProcessName is this process's: what its sessions' names begin with.
func ProcessName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "agent"
	}
	return fmt.Sprintf("%.60s-%d", host, os.Getpid())
}

// pause waits and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
