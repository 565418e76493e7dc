package health

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Stuck tells what of the agent stands still for longer than it may, and the restart of
// which may help; empty for nothing.
type Stuck func(after time.Duration) string

// Systemd tells systemd, where it started the agent and asked for it, that the agent has
// started, once every part that is needed has said how it is; what it waits for; and, as
// long as nothing is stuck, that it is alive. It returns when ctx ends, with the agent
// said to be stopping before Stopping is called.
type Systemd struct {
	health *Health
	stuck  Stuck
	log    *slog.Logger
}

// NewSystemd makes one; stuck is asked between two signs of life.
func NewSystemd(h *Health, stuck Stuck, log *slog.Logger) *Systemd {
	return &Systemd{health: h, stuck: stuck, log: log}
}

// statusEvery bounds how often the status is written: parts may come and go quickly.
const statusEvery = 200 * time.Millisecond

// Run tells systemd until ctx ends.
func (s *Systemd) Run(ctx context.Context) error {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("reading what systemd asks for: %w", err)
	}
	var beat <-chan time.Time
	if limit > 0 {
		ticker := time.NewTicker(limit / 3)
		defer ticker.Stop()
		beat = ticker.C
		s.tell(ctx, daemon.SdNotifyWatchdog)
	}
	ready, still, before := false, "", ""
	for {
		parts, changed := s.health.Parts()
		if !ready && started(parts) {
			ready = true
			s.tell(ctx, daemon.SdNotifyReady)
		}
		if text := status(parts, still); text != before {
			before = text
			s.tell(ctx, "STATUS="+text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			pause(ctx, statusEvery)
		case <-beat:
			if still = s.stuck(limit); still == "" {
				s.tell(ctx, daemon.SdNotifyWatchdog)
			} else {
				s.log.ErrorContext(ctx, "the service is stuck: systemd is to restart it", slog.String("part", still))
			}
		}
	}
}

// Stopping tells systemd that the agent stops.
func (s *Systemd) Stopping(ctx context.Context) {
	s.tell(ctx, daemon.SdNotifyStopping+"\nSTATUS=stopping: orders that run may end")
}

// tell sends a message, if anybody listens.
func (s *Systemd) tell(ctx context.Context, message string) {
	if _, err := daemon.SdNotify(false, message); err != nil {
		s.log.WarnContext(ctx, "systemd cannot be told", slog.Any("error", err))
	}
}

// status is what the agent does or waits for, in one line.
func status(parts []Status, still string) string {
	if still != "" {
		return "stuck: " + still
	}
	if !started(parts) {
		var names []string
		for i := range parts {
			if s := &parts[i]; s.Needed && s.State == Starting {
				names = append(names, string(s.Part))
			}
		}
		return "starting: " + strings.Join(names, ", ")
	}
	if reasons := waitsFor(parts); len(reasons) > 0 {
		return "waiting: " + strings.Join(reasons, " ")
	}
	if of(parts, Watcher).State == Standby {
		return "at work; another agent watches the folders"
	}
	return "at work"
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
