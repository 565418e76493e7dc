package postgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestStart_restartKeepsData(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	begin := time.Now()
	c := start(t, dir)
	t.Logf("first start in %v", time.Since(begin))
	require.Equal(t, "biomero", query[string](t, c, "SELECT current_database()::text"))
	exec1(t, c, "CREATE TABLE kept AS SELECT 7 AS n")
	select {
	case <-c.Done():
		t.Fatal("done while it runs")
	default:
	}
	first := c.server
	stop(t, c)
	requireClosed(t, c.Done())
	require.False(t, first.alive())
	stop(t, c)

	begin = time.Now()
	c = start(t, dir)
	t.Logf("second start in %v", time.Since(begin))
	require.Equal(t, 7, query[int](t, c, "SELECT n FROM kept"))
}

func TestStart_isPrivate(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c, err := Start(t.Context(), Options{Dir: dir, Parameters: map[string]string{
		"fsync": "off", "listen_addresses": "*", "port": "9999", "unix_socket_directories": "/tmp", "max_connections": "33",
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop(context.Background())) }()
	require.Equal(t, "33", query[string](t, c, "SHOW max_connections"))
	require.Empty(t, query[string](t, c, "SHOW listen_addresses"))
	require.Equal(t, filepath.Join(dir, "run"), c.SocketDir())
	for path, mode := range map[string]os.FileMode{"data": 0o700, "run": 0o700, "postgres.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(c.server.pid), 0, 0)
	require.Zero(t, errno)
	require.Equal(t, c.server.pid, int(session), "the terminal's signals would reach it")
}

func TestStart_adoptsWhatAKilledAgentLeft(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	killed := startAgent(t, dir)
	killed.kill(t)
	c := start(t, dir)
	require.Equal(t, killed.pid, c.server.pid)
	require.Equal(t, 1, query[int](t, c, "SELECT 1"))
}

func TestStart_adoptsWithoutBinaries(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := start(t, dir)
	l := defaultLauncher()
	l.search = search{}
	second, err := l.start(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, second.Stop(t.Context()))
	require.Equal(t, 1, query[int](t, c, "SELECT 1"))
}

func TestStart_replacesASilentServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	old := startAgent(t, dir)
	old.kill(t)
	require.NoError(t, syscall.Kill(old.pid, syscall.SIGSTOP))
	l := defaultLauncher()
	l.patience = 500 * time.Millisecond
	c, err := l.start(t.Context(), Options{Dir: dir, Log: testLog(t), Parameters: quick})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop(context.Background())) }()
	require.NotEqual(t, old.pid, c.server.pid)
	require.Equal(t, 1, query[int](t, c, "SELECT 1"))
}

func TestStart_sparesAServerThatRefuses(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c, err := Start(t.Context(), Options{Dir: dir, Parameters: map[string]string{
		"fsync": "off", "max_connections": "4", "superuser_reserved_connections": "0", "max_wal_senders": "0",
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop(context.Background())) }()
	for range 4 {
		var conn *pgx.Conn
		require.Eventually(t, func() bool { // the session of the start may take a moment to end
			conn, err = pgx.Connect(t.Context(), c.URL())
			return err == nil
		}, time.Minute, 10*time.Millisecond)
		defer conn.Close(context.Background())
	}
	_, err = Start(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "too many clients")
	require.True(t, c.server.alive())
}

func TestDone_serverKilled(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := start(t, dir)
	exec1(t, c, "CREATE TABLE kept AS SELECT 7 AS n; CHECKPOINT")
	require.NoError(t, syscall.Kill(c.server.pid, syscall.SIGKILL))
	requireClosed(t, c.Done())
	again := start(t, dir)
	require.Equal(t, 7, query[int](t, again, "SELECT n FROM kept"))
	stop(t, c)
	require.Equal(t, 7, query[int](t, again, "SELECT n FROM kept"), "the first user's Stop took the server away")
}

func TestStart_endsBackendsOfADeadServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	c := start(t, dir)
	conn, err := pgx.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	// It does not listen to anybody while it computes.
	computing := conn.PgConn().Exec(t.Context(), "SELECT count(*) FROM generate_series(1, 1e12)")
	defer func() { _ = computing.Close() }()
	backend := int(conn.PgConn().PID())
	require.NoError(t, syscall.Kill(c.server.pid, syscall.SIGKILL))
	requireClosed(t, c.Done())
	require.Contains(t, processesIn(t, dir), backend)
	again := start(t, dir)
	require.NotContains(t, processesIn(t, dir), backend)
	require.Equal(t, 1, query[int](t, again, "SELECT 1"))
}

func TestStop_lastUserEndsTheServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	first := startAgent(t, dir)
	here, again := start(t, dir), start(t, dir)
	require.Equal(t, first.pid, here.server.pid)
	first.leave(t)
	require.True(t, here.server.alive())
	stop(t, here)
	require.Equal(t, 1, query[int](t, again, "SELECT 1"))
	stop(t, again)
	require.False(t, again.server.alive())
}

func TestStop_lastUserIsAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	here := start(t, dir)
	other := startAgent(t, dir)
	stop(t, here)
	require.True(t, here.server.alive())
	other.leave(t)
	require.False(t, here.server.alive()) // and reaps it, being its parent
}

func TestStop_doesNotWaitForClients(t *testing.T) {
	t.Parallel()
	c := start(t, stateDir(t))
	conn, err := pgx.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "BEGIN; CREATE TABLE lost ()")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, c.Stop(ctx))
	require.False(t, c.server.alive())
}

func TestStart_manyAtOnce(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	var all sync.WaitGroup
	pids := make([]int, 6)
	for i := range pids {
		all.Go(func() {
			c, err := Start(t.Context(), Options{Dir: dir, Parameters: quick})
			if err != nil {
				t.Error(err)
				return
			}
			pids[i] = c.server.pid
			time.Sleep(time.Duration(i%3) * 20 * time.Millisecond)
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	other := startAgent(t, dir)
	all.Wait()
	other.leave(t)
	for _, pid := range pids {
		require.NotZero(t, pid)
	}
}

func TestStart_agentKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	for delay := 10 * time.Millisecond; delay < 1500*time.Millisecond; delay = delay * 3 / 2 {
		a := agentCommand(t, dir)
		require.NoError(t, a.cmd.Start())
		time.Sleep(delay)
		a.kill(t)
	}
	stop(t, start(t, dir)) // which may be the server of the last one killed
	c := start(t, dir)
	require.Equal(t, 1, query[int](t, c, "SELECT 1"))
	left, err := filepath.Glob(filepath.Join(dir, partial+"*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStart_cancelledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	for delay := time.Millisecond; delay < 1500*time.Millisecond; delay *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		c, err := Start(ctx, Options{Dir: dir, Parameters: quick})
		cancel()
		if err == nil {
			stop(t, c)
		}
		require.Eventually(t, func() bool { return len(processesIn(t, filepath.Dir(dir))) == 0 }, 5*time.Second, time.Millisecond,
			"left running after %v: %v", delay, err)
	}
	require.Equal(t, 1, query[int](t, start(t, dir), "SELECT 1"))
}

func TestStart_oddPaths(t *testing.T) {
	t.Parallel()
	for name, beside := range map[string]bool{
		"with space+plus%41&é":  true,
		"with,comma":            false,
		strings.Repeat("l", 90): false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(filepath.Dir(stateDir(t)), name)
			c := start(t, dir)
			require.Equal(t, beside, c.SocketDir() == filepath.Join(dir, "run"))
			require.Equal(t, 1, query[int](t, c, "SELECT 1"))
			again := start(t, dir)
			require.Equal(t, c.URL(), again.URL())
			if !beside {
				t.Cleanup(func() { require.NoError(t, os.RemoveAll(c.SocketDir())) })
			}
		})
	}
}

func TestURL_isReadAlikeByAll(t *testing.T) {
	t.Parallel()
	text := urlOf("/a b/c+d", "x")
	parsed, err := url.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "/a b/c+d", parsed.Query().Get("host"))
	require.NotContains(t, text, "+")
	require.Equal(t, fmt.Sprintf("postgres:///x?host=%%2Fa%%20b%%2Fc%%2Bd&port=%s&user=%s", port, User), text)
}
