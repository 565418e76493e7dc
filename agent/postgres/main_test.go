package postgres

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// agentVar makes a re-executed test binary an agent on the folder it names.
const agentVar = "POSTGRES_TEST_AGENT"

// ordinaryVar marks the run of all tests as an ordinary user.
const ordinaryVar = "POSTGRES_TEST_ORDINARY"

var quick = map[string]string{"fsync": "off", "shared_buffers": "16MB"}

func TestMain(m *testing.M) {
	if dir := os.Getenv(agentVar); dir != "" {
		os.Exit(beAgent(dir))
	}
	goleak.VerifyTestMain(m)
}

// beAgent uses the cluster until its standard input ends, as a terminal's
// agent would.
func beAgent(dir string) int {
	ctx := context.Background()
	c, err := Start(ctx, Options{Dir: dir, Parameters: quick})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(c.server.pid)
	_, _ = io.ReadAll(os.Stdin)
	if err := c.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// agent is another process that uses the cluster.
type agent struct {
	cmd   *exec.Cmd
	stdin io.Closer
	pid   int // of the server
}

func agentCommand(t *testing.T, dir string) *agent {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), agentVar+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	return &agent{cmd: cmd, stdin: stdin}
}

func startAgent(t *testing.T, dir string) *agent {
	t.Helper()
	a := agentCommand(t, dir)
	out, err := a.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, a.cmd.Start())
	_, err = fmt.Fscan(out, &a.pid)
	require.NoError(t, err)
	return a
}

func (a *agent) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, a.stdin.Close())
	require.NoError(t, a.cmd.Wait())
}

func (a *agent) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, a.cmd.Process.Kill())
	require.Error(t, a.cmd.Wait())
}

// stateDir is a folder that the user postgres can pass through, unlike
// t.TempDir's. After the test, nothing may run in it any more.
func stateDir(t *testing.T) string {
	t.Helper()
	base := "" // memory is quicker, where there is some
	if info, err := os.Stat("/dev/shm"); err == nil && info.Mode().Perm()&0o002 != 0 {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "pg") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() {
		if !t.Failed() {
			require.Empty(t, processesIn(t, dir), "left running")
		}
		for _, pid := range processesIn(t, dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return filepath.Join(dir, "state")
}

// processesIn lists the processes that name dir or work in it.
func processesIn(t *testing.T, dir string) (found []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, _ := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		cwd, _ := os.Readlink("/proc/" + entry.Name() + "/cwd")
		if strings.Contains(string(line), dir) || strings.HasPrefix(cwd, dir) {
			found = append(found, pid)
		}
	}
	return found
}

func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func start(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), Options{Dir: dir, Log: testLog(t), Parameters: quick})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop(context.Background())) })
	return c
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	require.NoError(t, c.Stop(t.Context()))
}

func query[T any](t *testing.T, c *Cluster, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	require.NoError(t, err)
	return value
}

func exec1(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func requireClosed(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("not done")
	}
}

// TestAsOrdinaryUser runs all tests again as somebody who is not root.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // they just ran like that
	}
	dir := stateDir(t)
	require.NoError(t, os.Mkdir(dir, 0o755))
	text, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	binary := filepath.Join(dir, "ordinary.test")
	require.NoError(t, os.WriteFile(binary, text, 0o755))
	cmd := exec.Command(binary, "-test.v", "-test.timeout=5m")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), ordinaryVar+"=1", "HOME=/nonexistent")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestStart_restartKeepsData")
}
