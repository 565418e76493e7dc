package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

// slow is a backend that takes some time over each import, as a server does: half
// of them before anything is done, the others once all is.
type slow struct {
	engine.Backend
	takes time.Duration
}

func (s slow) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	if rand.N(2) == 0 { //nolint:gosec // no secret
		if err := rest(ctx, s.takes); err != nil {
			return nil, err
		}
		return s.Backend.Import(ctx, req)
	}
	results, err := s.Backend.Import(ctx, req)
	return results, errors.Join(err, rest(ctx, s.takes))
}

// agentMode is what this program is told to be an agent.
const agentMode = "agent"

// agentConnections are enough for what is not gathered. The server has 200 for all.
const agentConnections = 40

// runAgent is another process of this program: an engine whose imports take their
// time. Its arguments are those that startAgent gives.
func runAgent(ctx context.Context, args []string) (err error) {
	if len(args) != 5 {
		return errors.New(usage)
	}
	url, data, dir := args[0], args[1], args[2]
	workers, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	takes, err := time.ParseDuration(args[4])
	if err != nil {
		return err
	}
	store, err := tracking.Open(ctx, url, agentConnections)
	if err != nil {
		return err
	}
	defer store.Close()
	share, err := importer.OpenShare(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, share.Close()) }()
	repo, err := repository.Open(repository.Config{Dir: dir}, share, store.Catalog(), time.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, repo.Close()) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	orderLog := func(string) (*slog.Logger, func() error, error) { return log, func() error { return nil }, nil }
	config := engine.Config{
		Workers: workers, MaxAttempts: 5, FirstWait: time.Second,
		CheckTimeout: time.Hour, ImportTimeout: 24 * time.Hour, ShutdownTimeout: time.Minute,
	}
	return engine.New(config, store, share, slow{repo, takes}, orderLog, log).Run(ctx)
}

// agent is a running one.
type agent struct {
	site *site
	cmd  *exec.Cmd
}

// startAgent runs an agent, and returns when it holds its lock.
func (s *site) startAgent(ctx context.Context, workers int, takes time.Duration) (*agent, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.started++
	name := fmt.Sprint("agent", s.started)
	a := &agent{site: s}
	//nolint:gosec // this program
	a.cmd = exec.CommandContext(ctx, self, agentMode, s.url+"&application_name="+name, s.data(), s.repository(), strconv.Itoa(workers), takes.String())
	a.cmd.Cancel = func() error { return a.cmd.Process.Signal(syscall.SIGTERM) }
	a.cmd.WaitDelay = time.Minute
	a.cmd.Stderr = struct{ io.Writer }{os.Stderr}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	err = until(ctx, 5*time.Millisecond, time.Minute, func() (bool, error) {
		locks, err := s.count(ctx, `SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND objsubid = 2 AND application_name = $1`, name)
		return locks > 0, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for an agent to start: %w", err), a.kill())
	}
	return a, nil
}

// stop lets the agent end what it has begun.
func (a *agent) stop() error {
	return errors.Join(a.cmd.Process.Signal(syscall.SIGTERM), a.cmd.Wait())
}

// kill gives the agent no time to do anything.
func (a *agent) kill() error {
	err := a.cmd.Process.Kill()
	_ = a.cmd.Wait() // killed, it says
	return err
}

// runs lists what the agent carries out.
func (a *agent) runs(ctx context.Context) (uuids []string, runs []int64, err error) {
	err = a.site.pool.QueryRow(ctx, `SELECT coalesce(array_agg(uuid), '{}'), coalesce(array_agg(run), '{}') FROM importer.orders
		WHERE state = 'running' AND agent LIKE '%-' || $1 || '-%'`, strconv.Itoa(a.cmd.Process.Pid)).Scan(&uuids, &runs)
	return uuids, runs, err
}
