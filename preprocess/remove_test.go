package preprocess

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A converter may nest folders deeper than a process may have files open, and deeper than
// any path is long.
func TestRemoveTree_deep(t *testing.T) {
	t.Parallel()
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer func() { _ = dir.Close() }()
	const name = "a folder with a name of some length"
	in, err := makeAll(dir, name)
	require.NoError(t, err)
	for i := range 2000 {
		require.NoError(t, in.WriteFile("file "+strconv.Itoa(i), nil, 0o644))
		below, err := makeAll(in, name)
		require.NoError(t, err)
		require.NoError(t, in.Close())
		in = below
	}
	require.NoError(t, in.Close())
	before := descriptors(t)
	most := 0
	done := make(chan error)
	go func() { done <- removeTree(dir, name) }()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			require.Less(t, most-before, 500)
			require.NoDirExists(t, filepath.Join(dir.Name(), name))
			return
		default:
			most = max(most, descriptors(t))
		}
	}
}

// descriptors is the highest that is in use, near enough.
func descriptors(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Close(fd))
	return fd
}

func TestRemoveTree_followsNoLink(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(at, "in/tree/sub"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(at, "in/kept"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(at, "in/kept/file"), nil, 0o644))
	require.NoError(t, os.Symlink("../../kept", filepath.Join(at, "in/tree/sub/link")))
	require.NoError(t, os.Symlink("kept", filepath.Join(at, "in/link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(at, "in/tree/pipe"), 0o644))
	dir, err := os.OpenRoot(filepath.Join(at, "in"))
	require.NoError(t, err)
	defer func() { _ = dir.Close() }()
	for _, name := range []string{"tree", "link", "none"} {
		require.NoError(t, removeTree(dir, name))
		require.NoFileExists(t, filepath.Join(at, "in", name))
	}
	require.FileExists(t, filepath.Join(at, "in/kept/file"))
}
