package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	pollEvery = 10 * time.Millisecond
	// endBound is how long an immediate shutdown may take: the server itself
	// kills what is left of its children after 5 s.
	endBound = 15 * time.Second
)

// process is told from a later one with the same pid by when it started.
type process struct {
	pid     int
	started string // clock ticks since boot, as the kernel writes them
}

// lookUp reads /proc/PID/stat (proc(5)): what follows the command's name, which
// may hold anything, is state, parent, … and as the 20th the start time.
func lookUp(pid int) (p process, state string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, "", false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return process{}, "", false
	}
	return process{pid: pid, started: fields[19]}, fields[0], true
}

// alive says whether p runs. One that ended is reaped if it is a child of this
// process, whichever Cluster started it.
func (p process) alive() bool {
	now, state, ok := lookUp(p.pid)
	switch {
	case !ok || now != p:
		return false
	case state == "Z" || state == "X":
		_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) // ECHILD: its parent reaps it
		return false
	}
	return true
}

func (p process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to the database server (pid %d): %w", sig, p.pid, err)
	}
	return nil
}

func (p process) wait(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for p.alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the database server (pid %d) to end: %w", p.pid, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// end shuts the server down: fast (open transactions are rolled back) until
// ctx ends, then immediately (the next start recovers from the log).
func (p process) end(ctx context.Context) error { return p.endBy(ctx, syscall.SIGINT) }

func (p process) endBy(ctx context.Context, gentle syscall.Signal) error {
	// A process that somebody suspended sees signals only when it goes on.
	if err := errors.Join(p.signal(gentle), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	if p.wait(ctx) == nil {
		return nil
	}
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), endBound)
	defer cancel()
	return p.wait(bound)
}
