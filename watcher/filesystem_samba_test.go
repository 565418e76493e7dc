package watcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// samba is a file server of the test's own.
type samba struct{ config, port string }

// startSamba shares a folder until the test ends.
func startSamba(t *testing.T, dir, shared string) samba {
	t.Helper()
	asRoot(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	port := freePort(t)
	s := samba{config: dir + "/smb.conf", port: strconv.Itoa(port)}
	require.NoError(t, os.WriteFile(s.config, fmt.Appendf(nil, `[global]
server role = standalone server
bind interfaces only = yes
interfaces = 127.0.0.1/8
smb ports = %[2]d
disable netbios = yes
map to guest = bad user
guest account = root
load printers = no
disable spoolss = yes
passdb backend = tdbsam:%[1]s/passdb.tdb
private dir = %[1]s
lock directory = %[1]s
state directory = %[1]s
cache directory = %[1]s
pid directory = %[1]s
ncalrpc dir = %[1]s
log file = %[1]s/log

[drops]
path = %[3]s
guest ok = yes
read only = no
`, dir, port, shared), 0o644))

	var said bytes.Buffer
	cmd, err := toolCommand(context.WithoutCancel(t.Context()), "smbd", "--foreground", "--no-process-group", "--configfile="+s.config, "--debug-stdout")
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	group := cmd.Process.Pid
	t.Cleanup(func() {
		// The helpers end first: nobody may be left to take note of orphans.
		require.NoError(t, unix.Kill(-group, unix.SIGTERM))
		select {
		case <-done:
		case <-time.After(deadline):
			require.NoError(t, unix.Kill(-group, unix.SIGKILL))
			require.Fail(t, "smbd did not end")
		}
		eventually(t, func() error { return groupGone(group) })
	})
	eventually(t, func() error {
		if err := groupGone(group); err == nil {
			require.FailNow(t, "smbd failed", said.String())
		}
		return s.client(t.Context(), dir, "ls")
	})
	return s
}

// client has smbclient run commands in a folder.
func (s samba) client(ctx context.Context, dir string, commands ...string) error {
	cmd, err := toolCommand(ctx, "smbclient", "//127.0.0.1/drops", "--port="+s.port, "--configfile="+s.config, "--user=%",
		"--command=prompt off; "+strings.Join(commands, "; "))
	if err != nil {
		return err
	}
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil && bytes.Contains(out, []byte("NT_STATUS")) {
		err = errors.New("refused")
	}
	if err != nil {
		return fmt.Errorf("smbclient %q: %w: %s", commands, err, out)
	}
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return addr.Port
}

// groupGone is an error as long as a process of the group runs.
func groupGone(group int) error {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has gone
		}
		// proc_pid_stat(5): the state, the parent, the group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			return fmt.Errorf("still running: %s", stat)
		}
	}
	return nil
}

// What Windows clients write through a share is offered like anything else.
func TestSambaShare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := site{
		quiet:   3 * time.Second, // two programs have to keep up
		watched: dir + "/share/in", written: dir + "/share/in", near: dir + "/share/near", elsewhere: mountTmpfs(t, dir+"/elsewhere", "1g"),
	}
	require.NoError(t, os.MkdirAll(p.written, 0o755))
	server := startSamba(t, dir+"/samba", dir+"/share")
	tryCarriers(t, p, map[string]carrier{
		"put": func(ctx context.Context, j *errand) error {
			src, err := j.source(j.elsewhere, "a.tif", 24<<20) // three of the largest writes
			if err != nil {
				return err
			}
			if j.want["b.tif"], err = contentOf(src); err != nil {
				return err
			}
			return j.client(ctx, server, `put a.tif b.tif`)
		},
		"mput": func(ctx context.Context, j *errand) error {
			if _, err := j.tree(j.elsewhere); err != nil {
				return err
			}
			var err error
			if j.want, err = contentsOf(j.elsewhere); err != nil {
				return err
			}
			return j.client(ctx, server, "recurse on", "mput tree")
		},
		"put and rename": func(ctx context.Context, j *errand) error {
			src, err := j.source(j.elsewhere, "a.tif", 12<<20)
			if err != nil {
				return err
			}
			c, err := contentOf(src)
			if err != nil {
				return err
			}
			j.want["b.tif"], j.want["d.tif"] = c, c
			return j.client(ctx, server, "put a.tif a.part", "put a.tif c.tif", "rename a.part b.tif", "rename c.tif d.tif")
		},
		"put again": func(ctx context.Context, j *errand) error {
			if _, err := j.source(j.elsewhere, "old", 9<<20); err != nil {
				return err
			}
			src, err := j.source(j.elsewhere, "new", 3<<20)
			if err != nil {
				return err
			}
			if j.want["a.tif"], err = contentOf(src); err != nil {
				return err
			}
			return j.client(ctx, server, "put old a.tif", "put new a.tif")
		},
	})
}

func (j *errand) client(ctx context.Context, s samba, commands ...string) error {
	to := fmt.Sprintf(`cd "in\%s"`, filepath.Base(j.written))
	return j.step(func() error { return s.client(ctx, j.elsewhere, append([]string{to}, commands...)...) })
}
