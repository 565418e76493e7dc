package health

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manager is what systemd has at its end of the socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, watchdog string) manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	return manager{t, conn}
}

// until reads up to a message, and returns what came before it.
func (m manager) until(want string) (before []string) {
	m.t.Helper()
	require.NoError(m.t, m.conn.SetReadDeadline(time.Now().Add(time.Minute)))
	buf := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buf)
		require.NoError(m.t, err, "%q did not come after %q", want, before)
		if text := string(buf[:n]); text != want {
			before = append(before, text)
			continue
		}
		return before
	}
}

func run(t *testing.T, s *Systemd) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// READY comes once every part that is needed has said how it is, be it that it waits.
func TestSystemd_tellsWhatTheServiceDoes(t *testing.T) {
	m := newManager(t, "")
	h := New([]Part{Database, Watcher, Backend}, []Part{Podman})
	s := NewSystemd(h, func(time.Duration) string { return "" }, slog.New(slog.DiscardHandler))
	stop := run(t, s)
	m.until("STATUS=starting: database, watcher, backend")
	h.Set(Database, Ready, "")
	h.Set(Watcher, Standby, "")
	require.NotContains(t, m.until("STATUS=starting: backend"), "READY=1")
	h.Set(Backend, Waiting, "OMERO is not available.")
	require.Contains(t, m.until("STATUS=waiting: OMERO is not available."), "READY=1")
	h.Set(Backend, Ready, "")
	m.until("STATUS=at work; another agent watches the folders")
	h.Set(Watcher, Ready, "")
	m.until("STATUS=at work")
	s.Stopping(t.Context())
	require.Empty(t, m.until("STOPPING=1\nSTATUS=stopping: orders that run may end"))
	stop()
}

func TestSystemd_isAliveUnlessStuck(t *testing.T) {
	m := newManager(t, "60000")
	var stuck atomic.Bool
	var log strings.Builder
	s := NewSystemd(New(nil, nil), func(after time.Duration) string {
		require.Equal(t, 60*time.Millisecond, after)
		if stuck.Load() {
			return "nothing moves"
		}
		return ""
	}, slog.New(slog.NewTextHandler(&log, nil)))
	stop := run(t, s)
	m.until("WATCHDOG=1")
	m.until("WATCHDOG=1")
	stuck.Store(true)
	m.until("STATUS=stuck: nothing moves")
	stuck.Store(false)
	require.Equal(t, []string{"WATCHDOG=1"}, m.until("STATUS=at work"), "it was silent as long as it was stuck")
	stop()
	require.Contains(t, log.String(), "nothing moves")
}

func TestSystemd_withoutOne(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	var log strings.Builder
	s := NewSystemd(New(nil, nil), nil, slog.New(slog.NewTextHandler(&log, nil)))
	run(t, s)()
	s.Stopping(t.Context())
	require.Empty(t, log.String())
}
