package importer_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
)

// newShare makes a share with one file "a.tif", and a file outside it.
func newShare(t *testing.T) (share *importer.Share, dir, outside string) {
	t.Helper()
	top := t.TempDir()
	dir, outside = filepath.Join(top, "data"), filepath.Join(top, "secret")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.tif"), []byte("pixels"), 0o644))
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o644))
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	return share, dir, outside
}

func TestShare_Check_takesWhatCanBeImported(t *testing.T) {
	t.Parallel()
	share, dir, _ := newShare(t)
	long := strings.Repeat("x", 251) + ".tif"
	for _, name := range []string{"a.tif", "with space.tif", `quote"s'.tif`, "new\nline.tif", "Größe µm.tif", long} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("pixels"), 0o644))
		resolved, info, err := share.Check(filepath.Join(dir, name))
		require.NoError(t, err, name)
		require.Equal(t, filepath.Join(dir, name), resolved)
		require.EqualValues(t, 6, info.Size())
	}
	require.NoError(t, os.Symlink(filepath.Join(dir, "a.tif"), filepath.Join(dir, "absolute")))
	require.NoError(t, os.Symlink("a.tif", filepath.Join(dir, "relative")))
	require.NoError(t, os.Symlink(".", filepath.Join(dir, "here")))
	for _, link := range []string{"absolute", "relative", "here/a.tif", "here/relative"} {
		resolved, _, err := share.Check(filepath.Join(dir, link))
		require.NoError(t, err, link)
		require.Equal(t, filepath.Join(dir, "a.tif"), resolved)
	}
}

func TestShare_Check_refuses(t *testing.T) {
	t.Parallel()
	share, dir, outside := newShare(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("empty.tif"), nil, 0o644))
	require.NoError(t, os.Symlink(outside, at("leak.tif")))
	require.NoError(t, os.Symlink("../secret", at("leak2.tif")))
	require.NoError(t, os.Symlink(filepath.Dir(outside), at("out")))
	require.NoError(t, os.Symlink("loop", at("loop")))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o644))
	require.NoError(t, os.WriteFile(at("bad\xff.tif"), []byte("x"), 0o644))
	for _, tc := range []struct{ path, want string }{
		{at("missing.tif"), "There is no file or folder"},
		{at("empty.tif"), "is empty"},
		{at("a.tif/b"), "cannot be used"},
		{at("leak.tif"), "leads outside"},
		{at("leak2.tif"), "leads outside"},
		{at("out/secret"), "leads outside"},
		{at("loop"), "cannot be used"},
		{at("pipe"), "neither a file nor a folder"},
		{at("bad\xff.tif"), "not valid UTF-8"},
		{at(strings.Repeat("x", 256)), "cannot be used"},
		{outside, "lies outside"},
		{dir + "/../secret", `contains ".."`},
		{dir + "/x/../a.tif", `contains ".."`},
		{"a.tif", "not absolute"},
		{"", "not absolute"},
		{dir + "x", "lies outside"},
	} {
		_, _, err := share.Check(tc.path)
		var fault *importer.Error
		require.ErrorAs(t, err, &fault, tc.path)
		require.Contains(t, fault.Reason, tc.want, tc.path)
	}
}

func TestShare_followsAMount(t *testing.T) {
	t.Parallel()
	share, dir, _ := newShare(t)
	// A mount replaces the folder under its name.
	require.NoError(t, os.Rename(dir, dir+".before"))
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.tif"), []byte("pixels"), 0o644))
	for _, look := range []look{share.Check, share.Resolve} {
		_, _, err := look(filepath.Join(dir, "b.tif"))
		require.NoError(t, err)
	}
}

func TestShare_below_a_linked_folder_keeps_the_configured_spelling(t *testing.T) {
	t.Parallel()
	_, dir, _ := newShare(t)
	alias := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Symlink(dir, alias))
	share, err := importer.OpenShare(alias)
	require.NoError(t, err)
	defer func() { require.NoError(t, share.Close()) }()
	resolved, _, err := share.Check(filepath.Join(alias, "a.tif"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(alias, "a.tif"), resolved)
}

func TestShare_Glob_listsWhatMatches(t *testing.T) {
	t.Parallel()
	share, dir, outside := newShare(t)
	for _, name := range []string{"run 1/a.tif", "run 1/b.czi", "run 2/a.tif", "run [3]/a.tif"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("pixels"), 0o644))
	}
	require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "run 4")))
	for pattern, want := range map[string][]string{
		"*.tif":           {"a.tif"},
		"run ?/*":         {"run 1/a.tif", "run 1/b.czi", "run 2/a.tif"},
		"run*/a.tif":      {"run 1/a.tif", "run 2/a.tif", "run [3]/a.tif"},
		`run \[3\]/a.t?f`: {"run [3]/a.tif"},
		"run 4/*":         nil,
		"none/*":          nil,
		"a.tif/*":         nil,
	} {
		found, err := share.Glob(t.Context(), filepath.Join(dir, pattern))
		require.NoError(t, err)
		for i := range found {
			found[i] = strings.TrimPrefix(found[i], dir+"/")
		}
		require.ElementsMatch(t, want, found, pattern)
	}
}

// dwindling is a context that ends after some looks at it.
type dwindling struct {
	context.Context //nolint:containedctx // it is one
	looks           int
}

func (d *dwindling) Err() error {
	if d.looks--; d.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestShare_Glob_endsAmongTheNamesOfAFolder(t *testing.T) {
	t.Parallel()
	share, dir, _ := newShare(t)
	for i := range 100 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o644))
	}
	_, err := share.Glob(&dwindling{t.Context(), 50}, filepath.Join(dir, "*.czi"))
	require.ErrorIs(t, err, context.Canceled)
}
