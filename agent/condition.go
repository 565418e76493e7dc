package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"biomero-importer/agent/config"
	"biomero-importer/agent/engine"
	"biomero-importer/agent/health"
	"biomero-importer/importer/omero"
	"biomero-importer/preprocess"
	"biomero-importer/watcher"
)

// condition is how a service is, and what of it can be asked.
type condition struct {
	*health.Health

	engine  atomic.Pointer[engine.Engine]
	watcher atomic.Pointer[watcher.Watcher] // nil unless it watches
	asked   atomic.Bool                     // the backend was, or need not be
	systemd *health.Systemd
	stopped sync.Once
}

// What the parts wait for, in words that tell nothing of where they are.
const (
	databaseAway = "The database does not answer."
	podmanAway   = "Podman does not answer."
	foldersAway  = "No watched folder is there."
)

func newCondition(c *config.Config) *condition {
	needed := []health.Part{health.Database}
	var others []health.Part
	if has(c, config.Watch) {
		needed = append(needed, health.Watcher)
	}
	if has(c, config.Watch) || has(c, config.Work) {
		needed = append(needed, health.Backend)
	}
	if has(c, config.Work) {
		needed = append(needed, health.Engine)
		if c.Podman.Socket == "" { // nobody has said that there is one
			others = append(others, health.Podman)
		} else {
			needed = append(needed, health.Podman)
		}
	}
	s := &condition{Health: health.New(needed, others)}
	s.asked.Store(c.Backend == config.Repository || !has(c, config.Work))
	return s
}

// tellSystemd keeps systemd informed until what it returns is called.
func (s *condition) tellSystemd(ctx context.Context, log *slog.Logger) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.systemd = health.NewSystemd(s.Health, s.stuck, log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.systemd.Run(ctx); err != nil {
			log.WarnContext(ctx, "systemd is told nothing", slog.Any("error", err))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// stop says to everybody who asks that the service stops.
func (s *condition) stop(ctx context.Context) {
	s.stopped.Do(func() {
		s.Stop()
		s.systemd.Stopping(ctx)
	})
}

// stuck tells what stands still that should not.
func (s *condition) stuck(after time.Duration) string {
	if e := s.engine.Load(); e != nil && e.Still() > after {
		return "no orders are taken up any more"
	}
	if w := s.watcher.Load(); w != nil && w.Stuck(after) {
		return "a folder is not watched any more, although it answers"
	}
	return ""
}

// session notes that the engine takes orders, or cannot.
func (s *condition) session(err error) {
	if err == nil {
		s.Set(health.Engine, health.Ready, "")
		return
	}
	s.Set(health.Engine, health.Waiting, databaseAway)
}

// watching is what the watcher has in hand; nil for an agent that is not to watch.
func (s *condition) watching(c *config.Config) func() watcher.State {
	if !has(c, config.Watch) {
		return nil
	}
	return func() watcher.State {
		if w := s.watcher.Load(); w != nil {
			return w.State()
		}
		return watcher.State{}
	}
}

// Times of observe: how often it looks, and what it waits for the database.
const (
	observeEvery = time.Second
	answerTime   = 3 * time.Second
)

// observe looks now and then, until ctx ends, how the parts are that do not tell it.
func (s *service) observe(ctx context.Context) error {
	waits := trouble(s.images)
	ticker := time.NewTicker(observeEvery)
	defer ticker.Stop()
	for {
		s.observeDatabase(ctx)
		if reason := waits(); reason != "" {
			s.state.Set(health.Backend, health.Waiting, reason)
		} else if s.state.asked.Load() {
			s.state.Set(health.Backend, health.Ready, "")
		}
		if w := s.state.watcher.Load(); w != nil {
			s.state.observeFolders(w.State())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// recheckEvery is the time between two looks whether a backend that was away is back. Each
// logs in.
const recheckEvery = time.Minute

// recheck has it show that a backend is back also where no order asks for it.
func (s *service) recheck(ctx context.Context) error {
	if server, ok := s.images.(*omero.Backend); ok {
		server.Recheck(ctx, recheckEvery)
	}
	return nil
}

func (s *service) observeDatabase(ctx context.Context) {
	bound, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := s.store.Answers(bound)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.state.Set(health.Database, health.Waiting, databaseAway)
	default:
		s.state.Set(health.Database, health.Ready, "")
	}
}

func (s *condition) observeFolders(w watcher.State) {
	switch w.Missing {
	case 0:
		s.Set(health.Watcher, health.Ready, "")
	case w.Roots:
		s.Set(health.Watcher, health.Waiting, foldersAway)
	default:
		s.Set(health.Watcher, health.Ready, fmt.Sprintf("%d of %d watched folders are not there.", w.Missing, w.Roots))
	}
}

// watchedConverter notes whether podman answers.
type watchedConverter struct {
	engine.Converter

	health *health.Health
}

// noted takes what podman said; other errors say nothing of it.
func (c watchedConverter) noted(err error) {
	switch {
	case errors.Is(err, preprocess.ErrUnavailable):
		c.health.Set(health.Podman, health.Waiting, podmanAway)
	case err == nil:
		c.health.Set(health.Podman, health.Ready, "")
	}
}

func (c watchedConverter) Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
	result, err := c.Converter.Run(ctx, req, watch)
	c.noted(err)
	return result, err
}

func (c watchedConverter) RemoveLeftovers(ctx context.Context, atWork func(ctx context.Context, order string) (bool, error)) error {
	err := c.Converter.RemoveLeftovers(ctx, atWork)
	c.noted(err)
	return err
}
