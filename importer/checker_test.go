package importer_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
)

type look func(path string) (string, fs.FileInfo, error)

// In whatever order paths come, a checker says of each what the share says.
func TestChecker_saysWhatTheShareSays(t *testing.T) {
	t.Parallel()
	share, dir, outside := newShare(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"b.tif", "sub/a.tif", "sub/b.tif", "sub/deep/a.tif", "sub/deep/b.tif", "x.zarr/0"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), []byte("pixels of "+name), 0o644))
	}
	require.NoError(t, os.WriteFile(at("sub/empty.tif"), nil, 0o644))
	require.NoError(t, os.WriteFile(at("sub/bad\xff.tif"), []byte("x"), 0o644))
	require.NoError(t, os.Symlink(outside, at("sub/leak.tif")))
	require.NoError(t, os.Symlink("deep/a.tif", at("sub/link.tif")))
	require.NoError(t, os.Symlink("sub/deep", at("alias")))
	require.NoError(t, os.Symlink(filepath.Dir(outside), at("out")))
	require.NoError(t, syscall.Mkfifo(at("sub/pipe"), 0o644))
	checker := share.Checker()
	defer checker.Close()
	for _, path := range []string{
		at("a.tif"), at("b.tif"), at("sub"), at("x.zarr"), at("missing.tif"), at("a.tif"),
		at("sub/a.tif"), at("sub/b.tif"), at("sub/deep"), at("sub/empty.tif"), at("sub/bad\xff.tif"), at("sub/leak.tif"), at("sub/link.tif"),
		at("sub/pipe"), at("sub/missing.tif"), at("sub") + "/", at("sub") + "/.", at("sub") + "/..", at("sub/b.tif"), at("sub") + "//b.tif",
		at("sub/deep/a.tif"), at("sub/deep/b.tif"), at("alias/a.tif"), at("alias/b.tif"), at("alias/c.tif"),
		at("a.tif/b"), at("a.tif/c"), at("none/a.tif"), at("none/b.tif"), at("out/secret"), at("out/secret"),
		at("sub") + "/../a.tif", at("sub") + "/../b.tif", outside, outside, dir + "x/a", dir + "x/b",
		"", "", "a.tif", "b.tif", "/", "/", dir, dir, at(strings.Repeat("x", 256)), at("a.tif"), at("b.tif"),
	} {
		for _, look := range [][2]look{{share.Check, checker.Check}, {share.Resolve, checker.Resolve}} {
			wantResolved, wantInfo, wantErr := look[0](path)
			resolved, info, err := look[1](path)
			require.Equal(t, wantErr, err, path)
			require.Equal(t, wantResolved, resolved, path)
			if wantErr == nil {
				require.True(t, os.SameFile(wantInfo, info), path)
			}
		}
	}
}

func TestChecker_seesWhatChanges(t *testing.T) {
	t.Parallel()
	share, dir, outside := newShare(t)
	path := filepath.Join(dir, "a.tif")
	checker := share.Checker()
	defer checker.Close()
	for range 3 {
		_, _, err := checker.Check(path)
		require.NoError(t, err)
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink(outside, path))
	var fault *importer.Error
	_, _, err := checker.Check(path)
	require.ErrorAs(t, err, &fault)
	// Another folder in the place of the one that is open.
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(path, []byte("pixels"), 0o644))
	_, _, err = checker.Check(path)
	require.NoError(t, err)
}
