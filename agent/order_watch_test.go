package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/follow"
	"biomero-importer/agent/order"
	"biomero-importer/agent/terminal/terminaltest"
	"biomero-importer/agent/tracking"
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
	require.NotContains(t, out, "\x1b")
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

// begun has an order carried out, of which a quarter is done at 1 GiB in 100 s.
func (s *site) begun() *tracking.Work {
	s.t.Helper()
	s.insert(s.write("pixels", "a.tif"))
	agent := tracking.Agent{Name: "bench-7-0badcafe"}
	waiting, err := s.store.Waiting(s.t.Context(), agent, 1)
	require.NoError(s.t, err)
	works, _, err := s.store.Take(s.t.Context(), agent, waiting.Due, waiting.Shares)
	require.NoError(s.t, err)
	require.Len(s.t, works, 1)
	require.NoError(s.t, s.store.Begin(s.t.Context(), works[0]))
	now := time.Now()
	require.NoError(s.t, s.store.SaveProgress(s.t.Context(), works[0].Job, tracking.Progress{
		Step: "importing", FilesDone: 1, FilesTotal: 4, BytesDone: 1 << 30, BytesTotal: 4 << 30, Began: now.Add(-100 * time.Second), Updated: now,
	}))
	return works[0]
}

const quarter = `importing, 1 of 4 files, 1GiB of 4GiB, 10\.24MiB/s, \S+s left`

func TestOrderWatch_showsHowFarAnOrderIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	work := s.begun()
	screen := terminaltest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	drawn := exec.CommandContext(ctx, binary, "--config", s.settings, "order", "watch", work.Job.UUID)
	drawn.Stdout, drawn.Stderr = screen.Terminal, t.Output()
	plain := exec.CommandContext(ctx, binary, "--config", s.settings, "order", "watch", work.Job.UUID)
	plain.Stderr = t.Output()
	pipe, err := plain.StdoutPipe()
	require.NoError(t, err)
	for _, cmd := range []*exec.Cmd{drawn, plain} {
		require.NoError(t, cmd.Start())
	}
	bar := regexp.MustCompile(work.Job.UUID + ` ada +\[=+>-+\] ` + quarter)
	s.eventually(func() bool { return bar.MatchString(screen.Text()) }, "there is a bar that is full in part")
	out := bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Regexp(t, `^\d\d:\d\d:\d\d  `+work.Job.UUID+`  ada  Import Started  `+quarter+`\n$`, line)

	require.NoError(t, s.store.Finish(t.Context(), tracking.End{Job: work.Job, Stage: order.Failed, Reason: "It is empty."}))
	screen.Await(work.Job.UUID + "  ada  Import Failed    It is empty.")
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Regexp(t, `^\d\d:\d\d:\d\d  `+work.Job.UUID+`  ada  Import Failed    It is empty\.\n$`, string(rest), "nothing steers a terminal that is none")
	require.Error(t, drawn.Wait())
	require.Error(t, plain.Wait())
	require.Equal(t, []int{6, 6}, []int{drawn.ProcessState.ExitCode(), plain.ProcessState.ExitCode()})
}
