package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// In one step a folder and a link to elsewhere change places, again and again.
func TestFolderSwappedForLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 20 {
		write(t, fmt.Sprintf("%s/out/%d/secret.tif", dir, i), "x")
	}
	box := newInbox()
	start(t, box, scannedOnly(patientRules(dir+"/in")))
	fence(t, box, dir+"/in/sub/5/mine.tif")
	for i := range 25 {
		require.NoError(t, os.Symlink(dir+"/out", dir+"/in/swap"))
		require.NoError(t, unix.Renameat2(unix.AT_FDCWD, dir+"/in/swap", unix.AT_FDCWD, dir+"/in/sub", unix.RENAME_EXCHANGE))
		write(t, fmt.Sprintf("%s/out/%d/fresh.tif", dir, i), "x")
		if i%8 == 0 {
			fence(t, box, fmt.Sprintf("%s/in/fence%d", dir, i))
		}
		write(t, fmt.Sprintf("%s/in/sub/7/through%d.tif", dir, i), "x") // lands behind the link
		require.NoError(t, unix.Renameat2(unix.AT_FDCWD, dir+"/in/swap", unix.AT_FDCWD, dir+"/in/sub", unix.RENAME_EXCHANGE))
		require.NoError(t, os.Remove(dir+"/in/swap"))
		if i%9 == 0 {
			fence(t, box, fmt.Sprintf("%s/in/sub/5/fence%d", dir, i))
		}
	}
	fence(t, box, dir+"/in/sub/5/last")
	for _, path := range box.paths() {
		require.NotContains(t, path, "secret")
		require.NotContains(t, path, "fresh")
		require.NotContains(t, path, "through")
	}
}

// What is in a renamed or moved folder is offered by its new path, and so is
// what comes into it later.
func TestRenamedFolders(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]func(Options) Options{"events": func(o Options) Options { return o }, "scans": scannedOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(dir+"/in", 0o755))
			box := newInbox()
			start(t, box, more(patientRules(dir+"/in/{user}")))
			want := map[string]int{}
			drop := func(path string) {
				fence(t, box, dir+path)
				want[dir+path]++
			}
			drop("/in/ann/run/1/a.tif")
			drop("/in/ann/run/2/a.tif")
			for i, step := range [][2]string{
				{"/in/ann/run", "/in/ann/walk"},
				{"/in/ann/walk/1", "/in/ann/walk/3"},
				{"/in/ann/walk/3", "/in/bob/deep/er/3"},
				{"/in/bob", "/in/cid"},
				{"/in/cid/deep", "/in/ann/walk/deep"},
			} {
				from, to := dir+step[0], dir+step[1]
				moved, err := contentsOf(from)
				require.NoError(t, err)
				require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
				require.NoError(t, os.Rename(from, to))
				for rel := range moved {
					d := box.waitFor(t, to+"/"+rel)
					require.Equal(t, dir+"/in/"+d.Captures["user"], d.Dir)
					want[d.Path]++
				}
				drop(fmt.Sprintf("%s/late%d.tif", step[1], i))
			}
			fence(t, box, dir+"/in/ann/last")
			want[dir+"/in/ann/last"]++
			got := map[string]int{}
			for _, path := range box.paths() {
				got[path]++
			}
			require.Equal(t, want, got)
		})
	}
}

// A root is waited for, and may come with all that is in it.
func TestRootMadeAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, patientRules(dir+"/a/b/c/d"))
	fence(t, box, dir+"/a/b/c/d/e/f/g/made.tif")
	require.NoError(t, os.Rename(dir+"/a", dir+"/gone"))
	write(t, dir+"/gone/b/c/d/no.tif", "x")
	var want []string
	for i := range 30 {
		write(t, fmt.Sprintf("%s/ready/b/c/d/%d/h/moved.tif", dir, i), "x")
		want = append(want, fmt.Sprintf("%s/a/b/c/d/%d/h/moved.tif", dir, i))
	}
	require.NoError(t, os.Rename(dir+"/ready", dir+"/a"))
	box.wait(t, 31)
	fence(t, box, dir+"/a/b/c/d/3/h/last.tif")
	require.Len(t, box.all(), 32, box.paths())
	require.Subset(t, box.paths(), want)
	require.NotContains(t, box.paths(), dir+"/a/b/c/d/no.tif")
}
