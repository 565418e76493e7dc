package watcher

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A watched filesystem goes and comes back. It must be free to go while the
// watcher has nothing to do.
func TestUnmountedAndMountedAgain(t *testing.T) {
	t.Parallel()
	for kind, mountIt := range map[string]func(t *testing.T, dir, at string) (written string){
		"tmpfs": func(t *testing.T, _, at string) string {
			t.Helper()
			return mountTmpfs(t, at, "10m")
		},
		"bindfs": func(t *testing.T, dir, at string) string {
			t.Helper()
			mountBindfs(t, dir+"/below", at, uncached)
			return dir + "/below"
		},
	} {
		for how, flags := range map[string]int{"plainly": 0, "lazily": unix.MNT_DETACH} {
			t.Run(kind+" "+how, func(t *testing.T) {
				t.Parallel()
				asRoot(t)
				dir := t.TempDir()
				box := newInbox()
				written := mountIt(t, dir, dir+"/mnt")
				start(t, box, scannedOnly(patientRules(dir+"/mnt", dir+"/disk")))
				write(t, written+"/sub/old.tif", "old")
				old := box.waitFor(t, dir+"/mnt/sub/old.tif")
				fence(t, box, dir+"/disk/before")

				// Made while the first is there, so that it has another number.
				written = mountIt(t, dir, dir+"/next")
				unmountSoon(t, dir+"/mnt", flags)
				fence(t, box, dir+"/disk/away")
				require.Len(t, box.all(), 3, "nothing comes of an empty mount point: %q", box.paths())

				require.NoError(t, unix.Mount(dir+"/next", dir+"/mnt", "", unix.MS_BIND, ""))
				t.Cleanup(func() { unmountIfMounted(t, dir+"/mnt") })
				write(t, written+"/sub/new.tif", "new")
				box.waitFor(t, dir+"/mnt/sub/new.tif")
				write(t, written+"/late/deep/new.tif", "new")
				box.waitFor(t, dir+"/mnt/late/deep/new.tif")
				fence(t, box, dir+"/disk/after")
				seen := map[string]int{}
				for _, d := range box.all() {
					seen[d.Path]++
					// On another device it is another file; the mark tells the sink that it is not.
					if d.Path == old.Path {
						require.Equal(t, old.Mark, d.Mark)
						require.Equal(t, old.ModTime, d.ModTime)
						require.Equal(t, old.Size, d.Size)
						continue
					}
					require.Equal(t, 1, seen[d.Path], d.Path)
				}
				require.Len(t, seen, 6)
				unmountSoon(t, dir+"/mnt", flags)
			})
		}
	}
}

// Folders come to be on other filesystems below the root too.
func TestMountedOverFolders(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := t.TempDir()
	box := newInbox()
	start(t, box, scannedOnly(patientRules(dir+"/in")))
	fence(t, box, dir+"/in/sub/under.tif")
	mountTmpfs(t, dir+"/in/sub", "1m")
	for i := range 3 {
		fence(t, box, fmt.Sprintf("%s/in/sub/%d/over.tif", dir, i))
	}
	unmountSoon(t, dir+"/in/sub", 0)
	fence(t, box, dir+"/in/sub/later.tif")
	require.NoError(t, os.Remove(dir+"/in/sub/later.tif"))
	fence(t, box, dir+"/in/fence")
	for _, d := range box.all() {
		require.Equal(t, int64(len("fence")), d.Size)
	}
}
