package main_test

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/follow"
	"biomero-importer/agent/order"
	"biomero-importer/agent/terminal/terminaltest"
)

func TestOrderWatch_followsAnOrderThroughALostConnectionToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.insert(s.write("pixels", "a.tif"))
	cmd := exec.Command(binary, "--config", s.settings, "order", "watch", "--json", id)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	next := func() (c follow.Change) {
		require.True(t, lines.Scan())
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		return c
	}
	first := next()
	require.Equal(t, order.Pending, first.Stage)
	require.Equal(t, id, first.UUID)
	require.Equal(t, "ada", first.User)
	_, err = s.store.Pool().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	a := s.start()
	c := next()
	for !c.Stage.Ended() {
		c = next()
	}
	require.Equal(t, order.Completed, c.Stage)
	require.False(t, lines.Scan(), "that is the end")
	require.NoError(t, cmd.Wait())
	a.stop()
}

func TestOrderWatch_exitStatusIsTheOutcome(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	good, bad := s.insert(s.write("pixels", "a.tif")), s.insert(s.path("data", "missing.tif"))
	out, errs, status := s.run("order", "watch", good)
	require.Zero(t, status, errs)
	require.Contains(t, out, good+"  ada  Import Completed\n")
	out, errs, status = s.run("order", "watch", bad)
	require.Equal(t, 6, status, errs)
	require.Contains(t, out, "Import Failed    There is no file")
	require.Empty(t, errs)
	_, errs, status = s.run("order", "watch", "nothing")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "There is no order")
	a.stop()

	waiting := s.insert(s.path("data", "a.tif"))
	cmd := exec.Command(binary, "--config", s.settings, "order", "watch", waiting)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(pipe).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "Import Pending")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.Error(t, cmd.Wait())
	require.Equal(t, 4, cmd.ProcessState.ExitCode(), "it has not ended")
}

func TestOrderWatch_drawsBarsOnATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	screen := terminaltest.Open(t)
	s.insert(s.write("pixels", "old.tif"))
	cmd := exec.Command(binary, "--config", s.settings, "order", "watch")
	cmd.Stdout = screen.Terminal
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	// Which of them come once it follows, nobody knows.
	s.eventually(func() bool {
		s.insert(s.write("pixels", "a.tif"))
		return strings.Contains(screen.Text(), "Import Pending")
	}, "one is shown")
	a := s.start()
	screen.Await("ada  Import Completed")
	id := s.insert(s.path("data", "a.tif"))
	s.ended(id, 1)
	one := exec.Command(binary, "--config", s.settings, "order", "watch", id)
	one.Stdout, one.Stderr = screen.Terminal, t.Output()
	require.NoError(t, one.Run())
	screen.Await(id + "  ada  Import Completed")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	a.stop()
}
