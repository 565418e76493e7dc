package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/access"
	"biomero-importer/agent/api"
	"biomero-importer/agent/config"
	"biomero-importer/agent/engine"
	"biomero-importer/agent/health"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/metrics"
	"biomero-importer/agent/notify"
	"biomero-importer/agent/order"
	"biomero-importer/agent/postgres"
	"biomero-importer/agent/submit"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
	"biomero-importer/importer"
	"biomero-importer/preprocess/podman"
)

// running is what a service that has started offers to the demo.
type running struct {
	store *tracking.Store
	share *importer.Share
	url   string // of the database
	page  string // of the status page; empty without one
}

// serve runs the service until ctx ends or a part of it fails. abort cancels
// orders that are still running then. ready, if any, is called once all parts
// have been started.
func serve(ctx context.Context, c *config.Config, log *slog.Logger, abort <-chan struct{}, ready func(running)) error {
	for _, w := range c.Warnings {
		log.WarnContext(ctx, "settings", slog.String("warning", w))
	}
	state := newCondition(c)
	defer state.tellSystemd(ctx, log)()
	defer state.stop(context.WithoutCancel(ctx))
	err := withDatabase(ctx, c, log, func(ctx context.Context, url string) error {
		s, err := start(ctx, c, url, log, state)
		if err != nil {
			return err
		}
		defer s.close()
		return s.run(ctx, abort, ready)
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// withDatabase calls do with the address of the database that the settings
// name, after starting it where it is the embedded one.
func withDatabase(ctx context.Context, c *config.Config, log *slog.Logger, do func(ctx context.Context, url string) error) (err error) {
	if !c.Database.Embedded {
		return do(ctx, string(c.Database.URL))
	}
	cluster, err := postgres.Start(ctx, postgres.Options{Dir: filepath.Join(c.StateDir, "postgres"), Log: log})
	if err != nil {
		return err
	}
	defer func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, cluster.Stop(bound))
	}()
	return do(ctx, cluster.URL())
}

// service is the parts of a running agent.
type service struct {
	config *config.Config
	log    *slog.Logger
	url    string
	store  *tracking.Store
	share  *importer.Share
	images backend
	listen net.Listener
	notify *notify.Notifier
	state  *condition

	metrics *metrics.Metrics

	installation string // names the database among others
}

// start opens everything that the parts need. What is wrong with the settings
// shows here; a database that does not answer is waited for.
func start(ctx context.Context, c *config.Config, url string, log *slog.Logger, state *condition) (*service, error) {
	s := &service{config: c, log: log, url: url, state: state}
	if err := s.open(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *service) open(ctx context.Context) (err error) {
	c := s.config
	if s.share, err = importer.OpenShare(c.BaseDir); err != nil {
		return &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	if c.Web.Listen != "" && has(c, config.Web) {
		if s.listen, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Web.Listen); err != nil {
			return order.Errorf(order.Invalid, "the status page cannot listen on web.listen: %w", err)
		}
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	s.state.Set(health.Database, health.Ready, "")
	s.metrics = metrics.New(metrics.Config{Version: version, Health: s.state.Health, Queue: s.store, Watcher: s.state.watching(c), StateDir: c.StateDir})
	// A service that only watches may find destinations too: each process has its own sessions.
	s.images, err = openBackend(ctx, c, filepath.Join(c.StateDir, "omero"), s.share, s.store, s.log)
	if err == nil {
		s.notify, err = notifier(c, s.store, s.images, s.metrics.Told, s.log)
	}
	return err
}

// connect opens the database and migrates it, for as long as it takes.
func (s *service) connect(ctx context.Context) error {
	wait := time.Second
	for {
		err := s.tryConnect(ctx)
		if err == nil || ctx.Err() != nil || order.ClassOf(err) == order.Invalid || order.ClassOf(err) == order.Denied {
			return err
		}
		s.state.Set(health.Database, health.Waiting, databaseAway)
		s.log.WarnContext(ctx, "waiting for the database", slog.Any("error", err), slog.Duration("next_try", wait))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// An agent needs connections to dispatch, listen, report, serve the page and maintain
// the queue, and some for its workers, which seldom write for themselves.
const (
	spareConnections  = 12
	workerConnections = 20
)

func (s *service) tryConnect(ctx context.Context) error {
	if s.config.Database.Migrate {
		if err := tracking.Migrate(ctx, s.url, s.log); err != nil {
			return err
		}
	}
	store, err := tracking.Open(ctx, s.url, min(s.config.Workers, workerConnections)+spareConnections)
	if err != nil {
		return err
	}
	err = store.Verify(ctx)
	if err == nil {
		s.installation, err = store.Installation(ctx)
	}
	if err != nil {
		store.Close()
		return err
	}
	s.store = store
	return nil
}

func (s *service) close() {
	if s.images != nil {
		_ = s.images.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.listen != nil {
		_ = s.listen.Close()
	}
	if s.share != nil {
		_ = s.share.Close()
	}
}

func has(c *config.Config, role config.Role) bool { return slices.Contains(c.Roles, role) }

// run starts the parts, and stops them in this order: what takes drops, what
// carries out orders, what reports on both.
func (s *service) run(ctx context.Context, abort <-chan struct{}, ready func(running)) error {
	all, stopAll := context.WithCancel(ctx)
	defer stopAll()
	last, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLast()
	first := &errgroup.Group{}
	reporting := &errgroup.Group{}
	fail := func(part string, run func() error) func() error {
		return func() error {
			err := run()
			if err != nil {
				err = fmt.Errorf("%s: %w", part, err)
				stopAll()
			}
			return err
		}
	}
	if has(s.config, config.Watch) {
		in, _, err := s.watcher()
		if err != nil {
			return err
		}
		reporter := in.Reporter()
		first.Go(fail("watching", func() error { return s.watch(all) }))
		reporting.Go(fail("reporting", func() error { return reporter.Run(last) }))
	}
	reporting.Go(func() error {
		s.present(last)
		return nil
	})
	if has(s.config, config.Work) {
		s.notify.Declare(all) // before anybody can end an order
	}
	page := ""
	if s.listen != nil {
		page = "http://" + s.listen.Addr().String() + "/"
		reporting.Go(fail("the status page", func() error { return web.Serve(last, s.listen, s.handler(last)) }))
	}
	reporting.Go(func() error { return s.observe(last) })
	reporting.Go(func() error { return s.recheck(last) })
	if has(s.config, config.Work) {
		first.Go(fail("carrying out orders", func() error { return s.work(all, abort) }))
		first.Go(func() error { return s.prune(all) })
		reporting.Go(func() error { s.notify.Run(last); return nil })
	}
	s.log.InfoContext(ctx, "started", slog.String("version", version), slog.String("base_dir", s.config.BaseDir),
		slog.String("backend", string(s.config.Backend)), slog.String("page", page), slog.Any("roles", s.config.Roles))
	if ready != nil {
		ready(running{store: s.store, share: s.share, url: s.url, page: page})
	}
	<-all.Done()
	s.state.stop(last)
	s.log.InfoContext(ctx, "stopping", slog.Duration("shutdown_timeout", s.config.ShutdownTimeout))
	err := first.Wait()
	stopLast()
	err = errors.Join(err, reporting.Wait())
	if err == nil {
		s.log.InfoContext(ctx, "stopped")
	}
	return err
}

// handler answers all requests over HTTP.
func (s *service) handler(ctx context.Context) http.Handler {
	at, ok := s.listen.Addr().(*net.TCPAddr)
	guard := access.New(access.Config{Loopback: ok && at.IP.IsLoopback(), Auth: s.config.Web.Auth})
	mux := http.NewServeMux()
	s.state.Register(mux)
	s.metrics.Register(mux)
	mux.Handle(api.Root, api.Handler(api.Config{Orders: s.store, Operator: guard.Operator, Log: s.log, Placer: &submit.Placer{
		Share: s.share, Store: s.store, Container: func(ctx context.Context, c importer.Container) (int64, error) {
			id, err := s.images.Container(ctx, c)
			return id, outcome(err)
		},
	}}))
	mux.Handle("/", s.statusPage(ctx))
	return guard.Wrap(mux)
}

// pruneEvery is the time between two looks for what is older than retention.
const pruneEvery = time.Hour

// prune forgets ended orders for which retention has passed.
func (s *service) prune(ctx context.Context) error {
	if s.config.Retention == 0 {
		return nil
	}
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		more, err := s.store.Prune(ctx, time.Now().Add(-s.config.Retention))
		if more {
			continue
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "old orders are kept for now", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// firstWait is the pause after an order's first fault that may pass. The five tries
// of the default settings take about an hour.
const firstWait = 20 * time.Second

// converters runs converters in containers of an installation, once podman is there.
func converters(p *config.Podman, installation string, log *slog.Logger) (*podman.Client, error) {
	return podman.New(podman.Options{
		Socket: p.Socket, Installation: installation, Allowed: p.Allowed, Pull: podman.Pull(p.Pull), AuthFile: p.AuthFile, Network: p.Network, UserNS: p.UsernsMode,
		Limits: podman.Limits{Memory: p.Memory, CPUs: p.CPUs, Pids: int64(p.Pids), Time: p.Timeout},
		Strict: p.Strict, BindAttempts: p.BindRetryAttempts, BindDelay: p.BindRetryDelay,
	}, log)
}

func (s *service) work(ctx context.Context, abort <-chan struct{}) error {
	logs := logging.Orders{Dir: s.config.OrderLogs(), Main: s.log}
	converter, err := converters(&s.config.Podman, s.installation, s.log)
	if err != nil {
		return err
	}
	defer func() { _ = converter.Close() }()
	batch := 0
	if s.config.Backend == config.OMERO {
		batch = omeroBatch
	}
	s.state.Set(health.Engine, health.Waiting, "Orders wait until the backend is there.")
	s.state.Set(health.Podman, health.Waiting, podmanAway)
	if err := awaitBackend(ctx, s.images); err != nil {
		return err
	}
	s.state.asked.Store(true)
	e := engine.New(engine.Config{
		Batch:   batch,
		Workers: s.config.Workers, PerDestination: s.config.PerDestination, MaxAttempts: s.config.MaxAttempts, FirstWait: firstWait,
		CheckTimeout: s.config.CheckTimeout, ImportTimeout: s.config.ImportTimeout, SpoolDir: s.config.StateDir, ShutdownTimeout: s.config.ShutdownTimeout,
		Conversions: engine.Conversions{Converter: watchedConverter{converter, s.state.Health}, Workers: s.config.Converters, Temp: filepath.Join(s.config.Podman.TempDir, s.installation), Processed: s.config.ProcessedFolder},
		Observer:    s.metrics.Engine(s.state.session),
	}, s.store, s.share, s.images, logs.Open, s.log)
	s.state.engine.Store(e)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-abort:
			e.Abort()
		case <-done:
		}
	}()
	return e.Run(ctx)
}
