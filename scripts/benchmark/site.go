package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// site is a database, and a folder with a service's settings, data and log.
type site struct {
	dir     string
	url     string
	pool    *pgxpool.Pool
	started int // agents
}

func (s *site) data() string { return filepath.Join(s.dir, "data") }

// inbox is the folder that watch watches.
func (s *site) inbox() string { return filepath.Join(s.dir, "data", "in") }

func (s *site) log() string { return filepath.Join(s.dir, "importer.log") }

func (s *site) repository() string { return filepath.Join(s.dir, "state", "repository") }

// run runs the built program for as long as do does, whose context ends early
// if the program does.
func (s *site) run(ctx context.Context, settings string, do func(context.Context, process) error) error {
	path := filepath.Join(s.dir, "settings.yml")
	text := fmt.Sprintf("ingest_tracking_db: %q\nbase_dir: %s\nstate_dir: %s/state\nlog_file_path: %s\nlegacy: {folder: \"\"}\nweb: {listen: \"\"}\n%s",
		s.url, s.data(), s.dir, s.log(), settings)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bin/biomero-importer", "run", "--config", path) //nolint:gosec // our own file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	// Through a pipe: with a terminal the log would go there instead of its file.
	cmd.Stderr = struct{ io.Writer }{os.Stderr}
	if err := cmd.Start(); err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		cancel()
		ended <- err
	}()
	err := do(running, process(cmd.Process.Pid))
	// Where it has ended by itself, that error says why.
	_ = cmd.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, <-ended)
}

// work runs the service to carry out orders.
func (s *site) work(ctx context.Context, workers int, do func(context.Context, process) error) error {
	return s.run(ctx, fmt.Sprintf("roles: [work]\nlog_level: warning\nmax_workers: %d\n", workers), do)
}

// watch runs the service to take drops.
func (s *site) watch(ctx context.Context, settle time.Duration, settings string, do func(context.Context, process) error) error {
	return s.run(ctx, fmt.Sprintf(`roles: [watch]
log_level: debug
watch:
  - path: %s
    order: {group: Demo, user: ada, destination: {type: Dataset, name: bench}}
    unit: auto
    settle: %s
%s`, s.inbox(), settle, settings), do)
}

// until repeats check until it is content.
func until(ctx context.Context, every, limit time.Duration, check func() (bool, error)) error {
	deadline := time.After(limit)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("still waiting after %s", limit)
		case <-ticker.C:
		}
	}
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
