package preprocess_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

func TestRedirect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{
		"temp/a.ome.tiff", "temp/sub/b.tif", "temp/c.zarr/0/0", "temp/only.tif",
		"stays/a.6f1d3a52.ome.tiff", "stays/sub/b.tif", "stays/c.zarr/0/0", "other/x.tif",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), []byte("pixels"), 0o644))
	}
	require.NoError(t, os.Symlink("temp", at("alias")))
	for link, to := range map[string]string{
		"set/a.ome.tiff": at("temp/a.ome.tiff"), "set/sub/deep/b.tif": at("temp/sub/b.tif"), "set/c.zarr": at("temp/c.zarr"),
		"set/chunk": at("temp/c.zarr/0/0"), "set/x.tif": at("other/x.tif"), "set/dangling": at("nothing"),
		"set/" + strings.Repeat("x", 255): at("temp/a.ome.tiff"),
		"set/relative":                    "../temp/a.ome.tiff", "set/alias": at("alias/a.ome.tiff"), "set/.redirected": at("temp/a.ome.tiff"),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(link)), 0o755))
		require.NoError(t, os.Symlink(to, at(link)))
	}
	moves := []preprocess.Move{
		{From: at("temp/a.ome.tiff"), To: at("stays/a.6f1d3a52.ome.tiff")},
		{From: at("temp/sub/b.tif"), To: at("stays/sub/b.tif")},
		{From: at("temp/c.zarr"), To: at("stays/c.zarr")},
		{From: at("temp")},
	}
	done, err := preprocess.Redirect(t.Context(), at("set"), moves)
	require.NoError(t, err)
	require.Equal(t, 7, done)
	want := map[string]string{
		"a.ome.tiff": at("stays/a.6f1d3a52.ome.tiff"), "sub/deep/b.tif": at("stays/sub/b.tif"), "c.zarr": at("stays/c.zarr"),
		"chunk": at("stays/c.zarr/0/0"), "x.tif": at("other/x.tif"), "dangling": at("nothing"),
		strings.Repeat("x", 255): at("stays/a.6f1d3a52.ome.tiff"),
		"relative":               at("stays/a.6f1d3a52.ome.tiff"), "alias": at("stays/a.6f1d3a52.ome.tiff"),
	}
	require.Equal(t, want, tree(t, at("set")))
	done, err = preprocess.Redirect(t.Context(), at("set"), moves)
	require.NoError(t, err)
	require.Zero(t, done)
	require.Equal(t, want, tree(t, at("set")))
}

func TestRedirect_leavesNoDanglingLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"temp/a", "temp/b"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), []byte("pixels"), 0o644))
	}
	require.NoError(t, os.WriteFile(at("empty"), nil, 0o644))
	require.NoError(t, os.Mkdir(at("set"), 0o755))
	require.NoError(t, os.Symlink(at("temp/a"), at("set/a")))
	for want, moves := range map[string][]preprocess.Move{
		"no such file":             {{From: at("temp/a"), To: at("stays/a")}},
		"no file with content":     {{From: at("temp/a"), To: at("empty")}},
		"only as a temporary copy": {{From: at("temp/b"), To: at("stays/b")}, {From: at("temp")}},
	} {
		_, err := preprocess.Redirect(t.Context(), at("set"), moves)
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault)
		require.Contains(t, fault.Reason, want)
		require.Equal(t, map[string]string{"a": at("temp/a")}, tree(t, at("set")))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := preprocess.Redirect(ctx, at("set"), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = preprocess.Redirect(t.Context(), at("none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}
