package preprocess_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	temp := filepath.Dir(filepath.Dir(req.Temp))
	work, _ := converted(t, req, "a.tif")
	other := req
	other.Input, other.Temp = 1, filepath.Join(filepath.Dir(req.Temp), "1")
	otherWork, _ := converted(t, other, "a.tif")
	otherWork.Close()
	kept := filepath.Join(temp, "not an order/0/file")
	require.NoError(t, os.MkdirAll(filepath.Dir(kept), 0o755))
	require.NoError(t, os.WriteFile(kept, []byte("kept"), 0o644))
	var asked []string
	atWork := func(answer bool) func(context.Context, string) (bool, error) {
		return func(_ context.Context, order string) (bool, error) {
			asked = append(asked, order)
			return answer, nil
		}
	}
	require.NoError(t, preprocess.Sweep(t.Context(), temp, atWork(true)))
	require.Equal(t, []string{req.Order}, asked)
	require.DirExists(t, other.Temp)
	require.NoError(t, preprocess.Sweep(t.Context(), temp, atWork(false)))
	require.DirExists(t, req.Temp, "somebody is at it")
	require.NoDirExists(t, other.Temp)
	work.Close()
	require.NoError(t, preprocess.Sweep(t.Context(), temp, atWork(false)))
	require.NoDirExists(t, filepath.Dir(req.Temp))
	require.Empty(t, tree(t, filepath.Join(req.Share, "in/.processed")))
	require.FileExists(t, kept)
	require.NoError(t, preprocess.Sweep(t.Context(), filepath.Join(temp, "none"), atWork(false)))
}

// Without the share it is not known what is left there: a later sweep finds it.
func TestCleanUp_waitsForTheShare(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, _ := converted(t, req, "a.tif")
	work.Close()
	away := req.Share + ".away"
	require.NoError(t, os.Rename(req.Share, away))
	require.Error(t, preprocess.CleanUp(t.Context(), req))
	require.NoError(t, os.Mkdir(req.Share, 0o755)) // where it is to be mounted
	require.ErrorContains(t, preprocess.CleanUp(t.Context(), req), "is it mounted?")
	require.NoError(t, os.Remove(req.Share))
	require.NoError(t, os.Rename(away, req.Share))
	require.NoError(t, preprocess.CleanUp(t.Context(), req))
	require.Empty(t, tree(t, filepath.Join(req.Share, "in/.processed")))
}

// A converter may leave folders that even their owner may not change. Root may anyway, so
// somebody else has to try.
func TestCleanUp_ofFoldersWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || os.Getenv("BIOMERO_TEST_DIR") != "" {
		req := newRequest(t)
		work, _ := converted(t, req, "deep/er/a.tif")
		for _, mount := range work.Mounts()[1:] {
			require.NoError(t, os.Chmod(filepath.Join(mount.Source, "deep/er"), 0o500))
			require.NoError(t, os.Chmod(filepath.Join(mount.Source, "deep"), 0))
		}
		work.Close()
		require.NoError(t, preprocess.CleanUp(t.Context(), req))
		require.Empty(t, tree(t, filepath.Join(req.Share, "in/.processed")))
		require.NoDirExists(t, filepath.Dir(req.Temp))
		return
	}
	dir, err := os.MkdirTemp("", "nobody") //nolint:usetesting // nobody has to reach it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	text, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test"), text, 0o755))
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BIOMERO_TEST_DIR="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// An order that is tried again while it is swept keeps what is not removed yet.
func TestSweep_asksAgainForEachInput(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	for i := range 3 {
		req.Input, req.Temp = i, filepath.Join(filepath.Dir(req.Temp), strconv.Itoa(i))
		work, _ := converted(t, req, "a.tif")
		work.Close()
	}
	asked := 0
	require.NoError(t, preprocess.Sweep(t.Context(), filepath.Dir(filepath.Dir(req.Temp)), func(context.Context, string) (bool, error) {
		asked++
		if asked == 2 {
			req.Input, req.Temp = 0, filepath.Join(filepath.Dir(req.Temp), "0")
			_, err := preprocess.Open(req)
			require.ErrorIs(t, err, preprocess.ErrBusy, "nobody begins meanwhile")
		}
		return asked > 2, nil
	}))
	require.Equal(t, 4, asked)
	left, err := os.ReadDir(filepath.Dir(req.Temp))
	require.NoError(t, err)
	require.Len(t, left, 2)
}

// The Python importer had its images where ours has a folder for each input.
func TestSweep_leavesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const order = "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a01"
	for _, name := range []string{"x.ome.tiff", "x.zarr/0/0"} {
		path := filepath.Join(dir, order, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("pixels"), 0o644))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, order, "0"), 0o755))
	require.NoError(t, preprocess.Sweep(t.Context(), dir, func(context.Context, string) (bool, error) { return false, nil }))
	require.Equal(t, map[string]string{order + "/x.ome.tiff": "pixels", order + "/x.zarr/0/0": "pixels"}, tree(t, dir))
	require.NoDirExists(t, filepath.Join(dir, order, "0"))
}
