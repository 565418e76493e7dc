package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// Config is the engine's settings.
type Config struct {
	Workers         int           // orders carried out at the same time
	ShutdownTimeout time.Duration // how long running orders may go on once Run's context ends
}

// Backend imports files. A request repeated with the same order imports
// nothing twice.
type Backend interface {
	Import(ctx context.Context, req importer.Request) ([]importer.Result, error)
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
}

// New makes an engine; Run starts it.
func New(c Config, store *tracking.Store, share *importer.Share, backend Backend, orderLog OrderLog, log *slog.Logger) *Engine {
	return &Engine{
		config: c, store: store, share: share, backend: backend, orderLog: orderLog, log: log,
		abort: make(chan struct{}),
	}
}

// Abort makes a Run that is stopping cancel its running orders now. They are
// resumed by whoever runs next.
func (e *Engine) Abort() { e.once.Do(func() { close(e.abort) }) }

// errLockLost ends a session whose hold on its jobs is gone.
var errLockLost = errors.New("the agent's lock is lost")

// Run takes and carries out orders until ctx ends, then lets running ones
// finish within the shutdown timeout. A broken database connection does not
// end it.
func (e *Engine) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := e.session(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "the engine lost the database and starts again", slog.Any("error", err))
			pause(ctx)
		}
	}
	return nil
}

// session works under one name for as long as the lock of that name holds.
func (e *Engine) session(ctx context.Context) error {
	name := agentName()
	hold, err := e.store.Hold(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = hold.Release(context.WithoutCancel(ctx)) }()
	client, err := e.newClient(name)
	if err != nil {
		return err
	}
	// Jobs do not end with ctx: Stop below gives them their time.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting the job queue: %w", err)
	}
	e.log.DebugContext(ctx, "taking orders", slog.String("agent", name), slog.Int("workers", e.config.Workers))
	d := &dispatcher{store: e.store, enqueue: enqueuer(client), log: e.log, wake: make(chan struct{}, 1)}
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	group, groupCtx := errgroup.WithContext(taking)
	group.Go(func() error { return d.run(groupCtx) })
	group.Go(func() error { return d.listen(groupCtx) })
	group.Go(func() error { return d.rescue(groupCtx) })
	// The lock is watched until the last job has ended.
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	lost, watched := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(watched)
		lost <- watch(watching, hold)
	}()
	select {
	case <-ctx.Done():
		err = nil
		if !e.drain(ctx, client, lost) {
			err = errLockLost
		}
	case err = <-lost:
		cancelJobs(ctx, client)
	}
	stopTaking()
	stopWatching()
	<-watched // before the lock's connection is closed
	return errors.Join(err, ignoreCancel(group.Wait()))
}

// drain lets running jobs end, and reports whether the lock held meanwhile.
func (e *Engine) drain(ctx context.Context, client *river.Client[pgx.Tx], lost <-chan error) bool {
	// Stop returns when all jobs have ended, at the latest a moment after
	// SoftStopTimeout has cancelled them.
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.config.ShutdownTimeout+cancelGrace)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- client.Stop(bound) }()
	held := true
	select {
	case err := <-stopped:
		e.complain(ctx, err)
		return held
	case <-e.abort:
	case err := <-lost:
		e.log.WarnContext(ctx, "the lock went while orders were ending", slog.Any("error", err))
		held = false
	}
	cancelJobs(ctx, client)
	cancel()
	e.complain(ctx, <-stopped)
	return held
}

func (e *Engine) complain(ctx context.Context, err error) {
	if err != nil {
		e.log.WarnContext(ctx, "some orders did not stop in time; they are resumed at the next start", slog.Any("error", err))
	}
}

// cancelGrace is how long cancelled jobs have to return.
const cancelGrace = 10 * time.Second

func cancelJobs(ctx context.Context, client *river.Client[pgx.Tx]) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
	defer cancel()
	_ = client.StopAndCancel(bound) // a job that does not return is fenced by its lost hold
}

// watch returns when the lock is lost or ctx ends.
func watch(ctx context.Context, hold *tracking.Hold) error {
	for pause(ctx) {
		if err := hold.Check(ctx); err != nil {
			return errors.Join(errLockLost, err)
		}
	}
	return nil
}

// agentName is new for every session, so that what an earlier one left behind
// is seen as such.
func agentName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "agent"
	}
	return fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), uuid.NewString()[:8])
}

// pause waits for a second and reports whether ctx still holds.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(time.Second)
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
