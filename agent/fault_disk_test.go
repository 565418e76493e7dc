package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A disk without room: first for logs, which orders do without, and then for links,
// which they wait for.
func TestFault_diskIsFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	logs, links := fullable(t, r.path("a")), fullable(t, r.path("state", "repository"))
	w := r.worker("a").start()
	r.place("ada", 5, 3)
	r.finish()

	freeLogs := logs.fill()
	r.place("ada", 5, 3)
	r.finish()
	for _, id := range r.ids[5:] {
		require.NoFileExists(t, filepath.Join(logs.dir, "import."+id+".log"))
	}

	freeLinks := links.fill()
	r.place("ada", 5, 3)
	r.place("bob", 5, 3)
	r.eventually(func() bool {
		return r.count(`SELECT count(*) FROM importer.orders WHERE state = 'queued' AND tries > 0`) == 10
	}, "all wait for room")
	freeLinks()
	freeLogs()
	r.finish()
	w.says("order completed")
	w.stop()
	audit(t, r)
}

// asRoot skips the test for people who can neither mount nor make networks. Root
// can, or the test fails.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount filesystems and make networks")
	}
}

// disk is a small filesystem.
type disk struct {
	t   *testing.T
	dir string
}

// fullable mounts one until the test ends.
func fullable(t *testing.T, dir string) disk {
	t.Helper()
	asRoot(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755,size=1m,nr_inodes=500"), "a container needs the right to mount")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return disk{t, dir}
}

// fill leaves no room for a byte or a name, until free is called.
func (d disk) fill() (free func()) {
	d.t.Helper()
	var made []string
	for chunk := strings.Repeat("x", 1<<16); ; {
		path := filepath.Join(d.dir, fmt.Sprintf("ballast%d", len(made)))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		require.NoError(d.t, err)
		made = append(made, path)
		for err == nil {
			_, err = f.WriteString(chunk)
		}
		require.ErrorIs(d.t, err, syscall.ENOSPC)
		require.NoError(d.t, f.Close())
	}
	return func() {
		for _, path := range made {
			require.NoError(d.t, os.Remove(path))
		}
	}
}
