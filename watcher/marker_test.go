package watcher

import (
	"context"
	"os"
	"sync"
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

// A marker that was there before anything else says nothing of what comes later,
// where no event tells of it either.
func TestMarkerOfAnEmptyFolderIsNotKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := marked(dir, "{name}.done", Folder)
	opts.Rules[0].Mode = ModeScan
	l := still(t, opts)
	require.NoError(t, os.Mkdir(dir+"/run", 0o755))
	write(t, dir+"/run.done", "")
	l.scanAll(t.Context())
	u := l.nodes[dir+"/run"].unit
	l.lookUnit(u)
	l.walkAll(t)
	laterThan(t, dir+"/run.done", write(t, dir+"/run/a.tif", "half"))
	l.measure(u)
	l.walkAll(t)
	require.Equal(t, pending, u.state)

	laterThan(t, dir+"/run/a.tif", write(t, dir+"/run.done", "again"))
	l.measure(u)
	l.walkAll(t)
	require.Equal(t, inflight, u.state)
}

// laterThan touches a file until the filesystem's clock shows that it is younger.
func laterThan(t *testing.T, old, young string) {
	t.Helper()
	change := func(path string) int64 {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st))
		return st.Ctim.Nano()
	}
	for change(young) <= change(old) {
		now := time.Now()
		require.NoError(t, os.Chtimes(young, now, now))
	}
}

// pause holds a walk where it first heeds its rate, which is after a look at files.
type pause struct {
	context.Context //nolint:containedctx // it is one

	there, on chan struct{}
	once      sync.Once
}

func (p *pause) Done() <-chan struct{} {
	p.once.Do(func() {
		close(p.there)
		<-p.on
	})
	return p.Context.Done()
}

// A marker that comes during a walk says nothing of what that looked at before.
func TestMarkerHasToBeThereBeforeTheWalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, marked(dir, "{name}.done", Folder))
	write(t, dir+"/run/a.tif", "half")
	l.scanAll(t.Context())
	l.measure(l.nodes[dir+"/run"].unit)
	pace := &pause{Context: t.Context(), there: make(chan struct{}), on: make(chan struct{})}
	done, walked := walkDone{walkJob: l.walks[0]}, make(chan error)
	go func() { walked <- (&walker{match: l.match, limit: l.limit}).walk(pace, &done) }()
	<-pace.there // it has looked at the file
	write(t, dir+"/run/a.tif", "half and the other half")
	laterThan(t, dir+"/run/a.tif", write(t, dir+"/run.done", ""))
	close(pace.on)
	require.NoError(t, <-walked)
	require.False(t, done.marked)
	require.True(t, walk(t, l, l.walks[0]).marked)
}

func mustOpen(t *testing.T, dir string) *folder {
	t.Helper()
	f, err := openFolder(newAnchor(dir), dir)
	require.NoError(t, err)
	t.Cleanup(f.close)
	return f
}

// Where a unit had been walked through before, its marker counts at once too.
func TestMarkerCountsWhileTheFolderMoves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, marked(dir, "{name}.done", Folder))
	write(t, dir+"/run/a.tif", "x")
	l.scanAll(t.Context())
	u := l.nodes[dir+"/run"].unit
	l.measure(u)
	l.walkAll(t)
	require.NotEmpty(t, u.trail)
	laterThan(t, dir+"/run/a.tif", write(t, dir+"/run/b.tif", "x"))
	l.measure(u)
	require.True(t, walk(t, l, l.walks[0]).moved)
	laterThan(t, dir+"/run/b.tif", write(t, dir+"/run.done", ""))
	l.walkAll(t)
	require.Equal(t, inflight, u.state)
}

// Markers come and go without changing what they are about.
func TestMarkerIsNoPartOfAUnit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, marked(dir, "{name}.done", Auto))
	write(t, dir+"/r1.tiff", "x")
	write(t, dir+"/Index.idx.xml", "x")
	l.scanAll(t.Context())
	u := l.nodes[dir].units["Index.idx.xml"]
	l.measure(u)
	before := walk(t, l, l.walks[0]).measure
	write(t, dir+"/Index.idx.xml.done", "")
	require.Equal(t, before, walk(t, l, l.walks[0]).measure)
	u.state = offered
	require.NoError(t, os.Remove(dir+"/Index.idx.xml.done"))
	l.event(t.Context(), fsnotify.Event{Name: dir + "/Index.idx.xml.done", Op: fsnotify.Remove})
	require.Equal(t, offered, u.state)
}

// A marker's name may be like one of those that are ignored.
func TestMarkerMayHaveAnIgnoredName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, marked(dir, ".MARKER_is_finished_{name}", Folder))
	write(t, dir+"/run.240101/a.tif", "x")
	write(t, dir+"/.MARKER_is_finished_run.240101", "")
	box.waitFor(t, dir+"/run.240101")
}

// What the sink has yet to say of a folder does not put the events in a unit
// behind its marker.
func TestMarkerCountsAfterEventsInNewFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, marked(dir, "{name}.done", Folder))
	write(t, dir+"/run/a", "x")
	l.scanAll(t.Context())
	write(t, dir+"/run/s/b", "x")
	write(t, dir+"/run.done", "")
	for _, ev := range []fsnotify.Event{{Name: "/run/s", Op: fsnotify.Create}, {Name: "/run/s/b", Op: fsnotify.Write}, {Name: "/run.done", Op: fsnotify.Create}} {
		ev.Name = dir + ev.Name
		l.event(t.Context(), ev)
		l.flush(t.Context())
	}
	u := l.nodes[dir+"/run"].unit
	l.nodes[dir+"/run/s"].ready = true
	l.flush(t.Context())
	require.LessOrEqual(t, u.next, l.now())
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
