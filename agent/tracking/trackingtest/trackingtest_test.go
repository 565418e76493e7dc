package trackingtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/postgres"
	"biomero-importer/agent/tracking/trackingtest"
)

// childVar makes a re-executed test binary act out the scene it names.
const childVar = "TRACKINGTEST_SCENE"

func TestMain(m *testing.M) { os.Exit(trackingtest.Run(m, setup)) }

func setup(ctx context.Context, url string) error {
	if os.Getenv(childVar) == "setup-fails" {
		return errors.New("no such migration")
	}
	return exec1(ctx, url, "CREATE TABLE things (id bigint PRIMARY KEY)")
}

func exec1(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func TestPool_isACopyOfTheTemplateForEachTest(t *testing.T) {
	t.Parallel()
	for range 20 {
		t.Run("copy", func(t *testing.T) {
			t.Parallel()
			pool := trackingtest.Pool(t)
			_, err := pool.Exec(t.Context(), "INSERT INTO things VALUES (1)")
			require.NoError(t, err)
		})
	}
}

func TestEmptyURL_hasNoTables(t *testing.T) {
	t.Parallel()
	err := exec1(t.Context(), trackingtest.EmptyURL(t), "SELECT FROM things")
	var refusal *pgconn.PgError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "42P01", refusal.Code)
}

func TestURL_isDroppedWithItsConnections(t *testing.T) {
	var url string
	var conn *pgx.Conn
	t.Run("user", func(t *testing.T) {
		var err error
		url = trackingtest.URL(t)
		conn, err = pgx.Connect(context.Background(), url)
		require.NoError(t, err)
	})
	require.Error(t, conn.Ping(t.Context()), "the connection outlived the database")
	var refusal *pgconn.PgError
	require.ErrorAs(t, exec1(t.Context(), url, "SELECT 1"), &refusal)
	require.Equal(t, "3D000", refusal.Code)
}

// TestURL_isQuick prints what it costs; the bound only catches a blunder, such
// as a database made by running the migrations.
func TestURL_isQuick(t *testing.T) {
	trackingtest.URL(t)
	const rounds = 20
	begin := time.Now()
	for range rounds {
		t.Run("one", func(t *testing.T) { trackingtest.URL(t) })
	}
	each := time.Since(begin) / rounds
	t.Logf("made and dropped in %v", each)
	require.Less(t, each, 2*time.Second)
}

// TestScene is the inside of the child processes below; by itself it only
// shows that a database can be had.
func TestScene(t *testing.T) {
	url := trackingtest.URL(t)
	if os.Getenv(childVar) == "" {
		return
	}
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	fmt.Printf("\nfolder %s\n", filepath.Dir(config.Host))
	switch os.Getenv(childVar) {
	case "panic":
		panic("as asked")
	case "goroutine":
		go func() { select {} }()
	case "fail":
		t.Fatal("as asked")
	case "hang":
		select {}
	}
}

// scene runs this binary again, and returns what it wrote and its server's
// state folder. kill ends it by SIGKILL once it has its server.
func scene(t *testing.T, name string, kill bool, args ...string) (out, folder string) {
	t.Helper()
	args = append([]string{"-test.run=^TestScene$", "-test.count=1"}, args...)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVar+"="+name, "TEST_DATABASE_URL=")
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(pipe)
	var all strings.Builder
	for lines.Scan() {
		fmt.Fprintln(&all, lines.Text())
		if after, ok := strings.CutPrefix(lines.Text(), "folder "); ok {
			folder = after
			if kill {
				require.FileExists(t, filepath.Join(folder, "data", "postmaster.pid"))
				require.NoError(t, cmd.Process.Kill())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		fmt.Fprintln(&all, err)
	}
	return all.String(), folder
}

// requireNothingLeft waits for the watchdog, which acts after the binary died.
func requireNothingLeft(t *testing.T, folder string) {
	t.Helper()
	require.NotEmpty(t, folder)
	require.Eventually(t, func() bool {
		_, err := os.Stat(folder)
		return os.IsNotExist(err) && len(processesOf(t, folder)) == 0
	}, 20*time.Second, 50*time.Millisecond)
}

// processesOf lists the processes that name folder or work in it.
func processesOf(t *testing.T, folder string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		line, _ := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		cwd, _ := os.Readlink("/proc/" + entry.Name() + "/cwd")
		if strings.Contains(string(line), folder) || strings.HasPrefix(cwd, folder) {
			found = append(found, entry.Name()+" "+string(line))
		}
	}
	return found
}

func TestRun_leavesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		kill bool
		args []string
		want string
	}{
		{name: "pass", want: "PASS"},
		{name: "fail", want: "exit status 1"},
		{name: "panic", want: "panic: as asked"},
		{name: "hang", kill: true, want: "signal: killed"},
		{name: "hang", args: []string{"-test.timeout=5s"}, want: "test timed out"},
		{name: "goroutine", want: "found unexpected goroutines"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out, folder := scene(t, tc.name, tc.kill, tc.args...)
			require.Contains(t, out, tc.want)
			requireNothingLeft(t, folder)
		})
	}
}

func TestRun_leakFailsIt(t *testing.T) {
	t.Parallel()
	out, _ := scene(t, "goroutine", false)
	require.Contains(t, out, "exit status 1")
}

func TestRun_setupFailureIsEachTestsFailure(t *testing.T) {
	t.Parallel()
	out, _ := scene(t, "setup-fails", false)
	require.Contains(t, out, "preparing the template database: no such migration")
	require.Contains(t, out, "exit status 1")
}

// TestRun_killedWhileStarting kills the binary at any moment of its start.
func TestRun_killedWhileStarting(t *testing.T) {
	t.Parallel()
	temp := openTemp(t)
	for _, after := range []int{5, 100, 300, 600, 1000, 1500, 2000} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestScene$")
		cmd.Env = append(os.Environ(), childVar+"=hang", "TEST_DATABASE_URL=", "TMPDIR="+temp)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(after) * time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		require.Error(t, cmd.Wait())
	}
	require.Eventually(t, func() bool {
		// A folder made just before the watchdog was is left, empty.
		left, err := filepath.Glob(filepath.Join(temp, "*", "*"))
		return err == nil && len(left) == 0 && len(processesOf(t, temp)) == 0
	}, 90*time.Second, 100*time.Millisecond)
}

// openTemp is a folder that the user postgres can pass through, unlike t.TempDir.
func openTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tt") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// TestRun_givenServer lends a server, as TEST_DATABASE_URL does, and counts
// what is left on it.
func TestRun_givenServer(t *testing.T) {
	t.Parallel()
	dir := openTemp(t)
	cluster, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Parameters: map[string]string{"fsync": "off"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Stop(context.Background())) }()
	cmd := exec.Command(os.Args[0], "-test.run=^(TestScene|TestPool_.*|TestEmptyURL_.*)$", "-test.v")
	cmd.Env = append(os.Environ(), "TEST_DATABASE_URL="+cluster.URL())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestScene")
	conn, err := pgx.Connect(t.Context(), cluster.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, _ := conn.Query(t.Context(), "SELECT datname::text FROM pg_database ORDER BY 1")
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"biomero", "postgres", "template0", "template1"}, names)
}
