package watcher

import (
	"os"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func marked(path, marker string, unit Unit) Options {
	return Options{Rules: []Rule{{Path: path, Settle: maxSettle, Unit: unit, DoneMarker: marker, Control: []string{"fence*"}}}}
}

func TestDoneMarkerSettlesAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		marker, drop, file, done string
		unit                     Unit
	}{
		"file":           {"{name}.done", "a.tif", "a.tif", "a.tif.done", Auto},
		"openBIS":        {".MARKER_is_finished_{name}", "run1", "run1/deep/a.tif", ".MARKER_is_finished_run1", Folder},
		"zarr":           {"{name}.done", "a.zarr", "a.zarr/0/0", "a.zarr.done", Auto},
		"several files":  {"{name}.done", "a.vsi", "_a_/stack1/frame_t.ets", "a.vsi.done", Auto},
		"file by itself": {"done_{name}", "a.tif", "a.tif", "done_a.tif", File},
	} {
		for _, running := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				box := newInbox()
				if running {
					start(t, box, marked(dir, tc.marker, tc.unit))
				}
				write(t, dir+"/"+tc.file, "x")
				if name == "several files" {
					write(t, dir+"/a.vsi", "x")
				}
				write(t, dir+"/"+tc.done, "")
				if !running {
					start(t, box, marked(dir, tc.marker, tc.unit))
				}
				box.waitFor(t, dir+"/"+tc.drop)
				fence(t, box, dir+"/fence")
				require.Len(t, box.all(), 2, "a marker is no drop")
			})
		}
	}
}

func TestMarkerSeenDuringAWalkHasItWalkedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, marked(dir, "{name}.done", Auto))
	write(t, dir+"/a.vsi", "x")
	l.scanAll(t.Context())
	u := l.nodes[dir].units["a.vsi"]
	l.measure(u)
	job := l.walks[0] // it found no marker
	write(t, dir+"/a.vsi.done", "")
	l.event(t.Context(), fsnotify.Event{Name: dir + "/a.vsi.done", Op: fsnotify.Create})
	l.flush(t.Context())
	l.walked(t.Context(), &walkDone{walkJob: job, measure: measure{count: 1, mark: 1}})
	require.LessOrEqual(t, u.next, l.now())
	require.Equal(t, u.home, l.queue[0])
}

func TestMarkerCountsAfterWhatItIsAbout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 20 { // whatever the order of the events' folders
		l := still(t, marked(dir, "{name}.done", Auto))
		write(t, dir+"/a.vsi", "x")
		write(t, dir+"/a.vsi.done", "")
		write(t, dir+"/_a_/stack1/frame_t.ets", "x")
		l.scanAll(t.Context())
		u := l.nodes[dir].units["a.vsi"]
		for _, name := range []string{"/a.vsi", "/_a_", "/a.vsi.done"} {
			l.event(t.Context(), fsnotify.Event{Name: dir + name, Op: fsnotify.Write})
		}
		l.flush(t.Context())
		require.LessOrEqual(t, u.next, l.now())
	}
}

func TestOldMarkerCountsForNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, marked(dir, "{name}.done", Auto))
	write(t, dir+"/a.tif.done", "")
	<-time.After(50 * time.Millisecond) // the clock of the files moves on
	write(t, dir+"/a.tif", "x")
	write(t, dir+"/c.zarr.done", "")
	<-time.After(50 * time.Millisecond) // the clock of the files moves on
	write(t, dir+"/c.zarr/0/0", "x")
	fence(t, box, dir+"/fence")
	fence(t, box, dir+"/fence2")
	require.Len(t, box.all(), 2)
	write(t, dir+"/a.tif.done", "again")
	box.waitFor(t, dir+"/a.tif")
}

func TestHeldOpenForWritingIsNotSettled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir))
	file, err := os.Create(dir + "/a.tif")
	require.NoError(t, err)
	_, err = file.WriteString("half")
	require.NoError(t, err)
	write(t, dir+"/z.zarr/.zgroup", "x")
	chunk, err := os.Create(dir + "/z.zarr/0")
	require.NoError(t, err)
	_, err = chunk.WriteString("half")
	require.NoError(t, err)
	// Moved into place as it is, too.
	moved, err := os.Create(dir + "/b.tmp")
	require.NoError(t, err)
	require.NoError(t, os.Rename(dir+"/b.tmp", dir+"/b.tif"))
	for _, name := range []string{"1", "2", "3", "4"} { // each takes a quiet time
		fence(t, box, dir+"/"+name)
	}
	require.Len(t, box.all(), 4, "%s", box.paths())
	require.NoError(t, file.Close())
	require.NoError(t, chunk.Close())
	require.NoError(t, moved.Close())
	box.waitFor(t, dir+"/a.tif")
	box.waitFor(t, dir+"/b.tif")
	box.waitFor(t, dir+"/z.zarr")
}

func TestWrittenNeedsNoRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a", "x")
	require.NoError(t, unix.Mkfifo(dir+"/pipe", 0o600))
	require.NoError(t, os.Symlink("a", dir+"/link"))
	f, err := openFolder(newAnchor(dir), dir)
	require.NoError(t, err)
	defer f.close()
	for _, name := range []string{"a", "pipe", "link", "gone"} {
		require.False(t, f.written(name), name)
	}
	reader, err := os.Open(dir + "/a")
	require.NoError(t, err)
	require.False(t, f.written("a"), "readers do no harm")
	require.NoError(t, reader.Close())
}
