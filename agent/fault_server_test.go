package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// server is a PostgreSQL of a test's own: it may be killed.
type server struct {
	t    *testing.T
	dir  string // of its data and its socket
	args []string
	env  []string
	net  string // the network namespace that it runs in; empty for ours
	cmd  *exec.Cmd
	done chan struct{}
}

// template is a cluster that was made once, to be copied. What an acknowledged
// commit wrote has to outlive a killed server, yet not a power cut.
var template = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(binary), "template")
	cmd := exec.Command(programs("initdb"), "-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: postgresUser()}
	if err := ownFolder(dir); err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	hba := "local all all trust\nlocal replication all trust\nhost all all samenet trust\n"
	return dir, os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte(hba), 0o600)
})

// programs is the path of one of PostgreSQL's programs, the newest that is installed.
func programs(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return name
	}
	return found[len(found)-1]
}

// postgresUser is whom root runs servers as: they refuse root.
func postgresUser() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// ownFolder makes a folder that the server's user may write to.
func ownFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if as := postgresUser(); as != nil {
		return os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	return nil
}

// newServer makes a server, which is not started yet, in a folder of that name.
func newServer(t *testing.T, dir string, settings ...string) *server {
	t.Helper()
	from, err := template()
	require.NoError(t, err)
	s := serverIn(t, dir, settings...)
	out, err := exec.Command("cp", "-a", from, s.data()).CombinedOutput()
	require.NoError(t, err, string(out))
	return s
}

// serverIn is a server without data.
func serverIn(t *testing.T, dir string, settings ...string) *server {
	t.Helper()
	require.NoError(t, ownFolder(dir))
	s := &server{t: t, dir: dir, env: []string{"LC_ALL=C"}}
	for _, one := range append([]string{
		"fsync=off", "autovacuum=off", "max_connections=100", "dynamic_shared_memory_type=mmap", "shared_buffers=16MB",
		"listen_addresses=", "unix_socket_directories=" + dir,
	}, settings...) {
		s.args = append(s.args, "-c", one)
	}
	return s
}

// standby is a copy of the server that follows it; a commit waits for both.
func (s *server) standby(dir string) *server {
	s.t.Helper()
	copied := serverIn(s.t, dir)
	backup := exec.Command(programs("pg_basebackup"), "-D", copied.data(), "-h", s.dir, "-U", "postgres", "-R", "-c", "fast", "--no-sync")
	backup.SysProcAttr = &syscall.SysProcAttr{Credential: postgresUser()}
	out, err := backup.CombinedOutput()
	require.NoError(s.t, err, string(out))
	copied.start()
	s.exec("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	return copied
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// url is the server's address, for a role.
func (s *server) url(role string) string {
	return fmt.Sprintf("postgres:///postgres?host=%s&user=%s", s.dir, role)
}

// start returns when the server answers.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(programs("postgres"), append([]string{"-D", s.data()}, s.args...)...)
	s.cmd.Env = s.env
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: postgresUser(), Setsid: true, Pdeathsig: syscall.SIGQUIT}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(s.t, err)
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	require.NoError(s.t, within(s.net, s.cmd.Start))
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	s.t.Cleanup(func() {
		s.signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGQUIT) // or it has ended
		<-done
	})
	deadline := time.Now().Add(patience)
	for s.try("SELECT 1") != nil {
		select {
		case <-done:
			deadline = time.Time{}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			require.Failf(s.t, "the server does not answer", "%s", text)
		}
	}
}

// try runs statements as the superuser.
func (s *server) try(sql string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres")+"&default_transaction_read_only=off")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

func (s *server) exec(sql ...string) {
	s.t.Helper()
	for _, one := range sql {
		require.NoError(s.t, s.try(one))
	}
}

// stop ends the server as an administrator does who will not wait for clients.
func (s *server) stop() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGINT))
	<-s.done
}

// crash ends all of its processes as the kernel does when memory runs out.
func (s *server) crash() {
	s.signal(syscall.SIGKILL)
	<-s.done
}

// signal sends a signal to all of its processes, while the one that makes them is
// stopped. One that has ended needs none.
func (s *server) signal(sig syscall.Signal) {
	if s.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return
	}
	for _, pid := range s.children() {
		_ = syscall.Kill(pid, sig)
	}
	_ = s.cmd.Process.Signal(sig)
}

func (s *server) children() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		stat, statErr := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil || statErr != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(s.cmd.Process.Pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
