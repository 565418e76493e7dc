package podman_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/podman"
)

// An agent that is nobody needs nothing but the socket, and what its converters write is
// its own.
func TestRun_withoutPrivileges(t *testing.T) {
	t.Parallel()
	needPodman(t)
	if os.Geteuid() != 0 {
		t.Skip("all other tests have no privileges either")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nobody") //nolint:usetesting // nobody has to reach it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	socket := filepath.Join(dir, "socket")
	require.NoError(t, os.Link(shared.Socket, socket))
	require.NoError(t, os.Chmod(socket, 0o666))
	program, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test"), program, 0o755))
	req := newRequest(t, "convert", nil)
	req.Share, req.Temp = filepath.Join(dir, "share"), filepath.Join(dir, "temp/0")
	req.Path = filepath.Join(req.Share, "x.tif")
	require.NoError(t, os.Mkdir(req.Share, 0o755))
	require.NoError(t, os.WriteFile(req.Path, []byte("input"), 0o600))
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path == socket {
			return err
		}
		return os.Chown(path, nobody, nobody)
	}))
	killedAt(t, podman.Options{Socket: socket, Installation: t.Name()}, req, "ended <nil>", func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = filepath.Join(dir, "test"), dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	})
	info, err := os.Stat(filepath.Join(req.Share, ".processed/x.ome.tiff"))
	require.NoError(t, err)
	owner, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.EqualValues(t, nobody, owner.Uid)
}
