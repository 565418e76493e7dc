package watcher

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// logbook collects what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logbook) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), s)
}

func (b *logbook) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// still returns a loop that is driven by the test.
func still(t *testing.T, opts Options) *loop {
	t.Helper()
	w, err := New(opts, newInbox())
	require.NoError(t, err)
	l := newLoop(w, w.anchors[0], rate.NewLimiter(rate.Inf, 0), 0, 1)
	l.notify = newNotifier(t.Context(), w.log)
	t.Cleanup(func() { require.NoError(t, l.notify.close()) })
	return l
}

// scanAll runs one full pass.
func (l *loop) scanAll(ctx context.Context) {
	l.nextFull = 0
	l.pass(ctx)
}

// pass runs one pass; nothing is known from before.
func (l *loop) pass(ctx context.Context) {
	l.nextPoll, l.nextScan, l.rested = 0, 0, 0
	l.pollRoot(ctx)
	for l.scanStep(ctx); l.running; l.scanStep(ctx) {
		if l.ask(); len(l.asked) > 0 {
			l.recalled(ctx, answer{known: make([][]uint64, len(<-l.questions))})
		}
	}
}

func TestScanFindsWhatEventsDoNotTell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := rules(dir)
	book := &logbook{}
	opts.Log = book.log()
	l := still(t, opts)
	require.NoError(t, l.notify.close())
	l.notify.fs, l.notify.events = nil, nil
	l.notify.full = true

	write(t, dir+"/a/b.tif", "x")
	write(t, dir+"/c.zarr/0", "x")
	l.scanAll(t.Context())
	require.Len(t, l.settler.files, 1)
	require.Len(t, l.nodes, 3)
	require.NoError(t, os.RemoveAll(dir+"/a"))
	require.NoError(t, os.Rename(dir+"/c.zarr", dir+"/d.zarr"))
	l.scanAll(t.Context())
	require.Empty(t, l.settler.files, "what has gone is forgotten")
	require.Contains(t, l.nodes, dir+"/d.zarr")
	require.Len(t, l.nodes, 2)
}

func TestFullScanRevivesWatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a/b.tif", "x")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	require.Len(t, l.notify.fs.WatchList(), 2)
	require.NoError(t, l.notify.fs.Remove(dir+"/a"))
	l.scanAll(t.Context())
	require.Len(t, l.notify.fs.WatchList(), 2)

	l.again = true // as after lost events
	require.NoError(t, os.Rename(dir+"/a", dir+"/b"))
	l.scanAll(t.Context())
	require.ElementsMatch(t, []string{dir, dir + "/b"}, l.notify.fs.WatchList())
}

func TestWatchLimitIsSaidOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		require.NoError(t, os.Mkdir(fmt.Sprintf("%s/%d", dir, i), 0o755))
	}
	book := &logbook{}
	n := &notifier{log: book.log(), byID: map[fileID]*node{}, lost: make(chan struct{}, 1)}
	for range 3 {
		n.refused(t.Context(), &node{path: dir, watched: true}, unix.ENOSPC)
	}
	require.Equal(t, 1, book.count("fs.inotify.max_user_watches"))
	n.refused(t.Context(), &node{path: dir}, unix.EACCES)
	require.Equal(t, 1, book.count("folder not watched"))
}

func TestDeniedFolderIsSaidOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	book := &logbook{}
	opts := rules(dir)
	opts.Log = book.log()
	l := still(t, opts)
	l.scanAll(t.Context())
	n := l.nodes[dir]
	for range 3 {
		l.unreadable(t.Context(), n, fmt.Errorf("opening: %w", unix.EACCES))
	}
	require.Equal(t, 1, book.count("cannot be read"))
	require.False(t, n.dead)
	l.unreadable(t.Context(), n, fmt.Errorf("opening: %w", unix.ENOENT))
	require.True(t, n.dead)
}

func TestFoldersAreReadWithoutLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/out/x", "x")
	write(t, dir+"/in/sub/deep/x", "x")
	require.NoError(t, os.Symlink(dir+"/out", dir+"/in/link"))
	require.NoError(t, os.Symlink("sub", dir+"/in/near"))
	for path, ok := range map[string]bool{"": true, "/sub/deep": true, "/link": false, "/near": false, "/near/deep": false, "/gone": false, "/sub/deep/x": false} {
		f, err := openFolder(newAnchor(dir+"/in"), dir+"/in"+path)
		require.Equal(t, ok, err == nil, path)
		if err == nil {
			f.close()
			continue
		}
		require.True(t, gone(err), "%s: %v", path, err)
		top, err := unix.Open(dir+"/in", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		_, err = stepDown(top, path[1:], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
		require.True(t, gone(err), "%s: %v", path, err)
		closeFD(top)
	}
	top, err := unix.Open(dir+"/in", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer closeFD(top)
	fd, err := stepDown(top, "sub/deep", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	require.NoError(t, err)
	closeFD(fd)
	// The root itself may be reached through a link.
	f, err := openFolder(newAnchor(dir+"/in/near"), dir+"/in/near/deep")
	require.NoError(t, err)
	f.close()
}

func TestMovedFrom(t *testing.T) {
	t.Parallel()
	_, ok := movedFrom(fsnotify.Event{Name: "a \" ← \"b", Op: fsnotify.Create})
	require.False(t, ok)
}

func TestLostEventsAreNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/x", "x")
	write(t, dir+"/y", "y")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	require.NoError(t, err)
	queued, err := strconv.Atoi(strings.TrimSpace(string(limit)))
	require.NoError(t, err)
	for range queued/2 + 2*eventBuffer { // in turn, or the kernel makes one event of two
		require.NoError(t, os.Chmod(dir+"/x", 0o600))
		require.NoError(t, os.Chmod(dir+"/y", 0o600))
	}
	path := write(t, dir+"/unheard.tif", "x")
	late := time.After(deadline)
	for lost := false; !lost; {
		select {
		case ev := <-l.notify.events:
			l.event(t.Context(), ev)
		case <-l.notify.lost:
			lost = true
		case <-late:
			require.FailNow(t, "nobody noticed that events were lost")
		}
	}
	l.again = true
	l.scanAll(t.Context())
	require.Contains(t, l.settler.files, l.nodes[dir].key(l.seed, "unheard.tif"), path)
}

// More happens at once than the queue of events takes, while folders come and go.
func TestStormOfFilesIsTakenOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	stall := make(chan struct{})
	box.fail = func() error { <-stall; return nil }
	opts := rules(dir)
	opts.Log = slog.New(slog.DiscardHandler)
	start(t, box, opts)
	const writers, files = 4, 2500
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			for i := range files {
				tmp := fmt.Sprintf("%s/%d/%d", dir, w, i%50)
				if err := os.MkdirAll(tmp, 0o755); err != nil {
					t.Error(err)
				}
				path := fmt.Sprintf("%s/%d.tif", tmp, i)
				if err := os.WriteFile(path+".tmp", []byte("x"), 0o644); err != nil {
					t.Error(err)
				}
				if err := os.Rename(path+".tmp", path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	close(stall)
	box.wait(t, writers*files)
	fence(t, box, dir+"/fence")
	seen := map[string]bool{}
	for _, path := range box.paths() {
		require.False(t, seen[path], path)
		seen[path] = true
	}
	require.Len(t, seen, writers*files+1)
}

func TestSlowSinkBoundsWhatIsReady(t *testing.T) {
	t.Parallel()
	b := batch{}
	b.others = make([]item, maxBatch)
	require.Zero(t, b.room())
	require.Zero(t, b.flushAt(true))
	b = batch{}
	b.add(10*time.Second, item{})
	require.Equal(t, 10*time.Second+lull, b.flushAt(false))
	b.add(10*time.Second+maxLull, item{})
	require.Equal(t, 10*time.Second+maxLull, b.flushAt(false))
	require.Equal(t, 10*time.Second+maxJoin, b.flushAt(true))
}

// Something above a folder is away for the moment of one look.
func TestFolderThatWasAwayForAMomentIsFoundAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/g/a/deep/x.tif", "x")
	opts := rules(dir)
	opts.Rules[0].Mode, opts.Rules[0].ScanInterval = ModeScan, time.Hour
	l := still(t, opts)
	l.scanAll(t.Context())
	for _, n := range l.nodes {
		n.firm = true
	}
	n := l.nodes[dir+"/g/a/deep"]
	require.NoError(t, os.Rename(dir+"/g", dir+"/h"))
	l.look(t.Context(), n)
	require.True(t, n.dead)
	require.NoError(t, os.Rename(dir+"/h", dir+"/g"))
	require.LessOrEqual(t, l.nextScan, l.now()+blindInterval, "a pass comes soon")
	l.pass(t.Context())
	require.Contains(t, l.nodes, dir+"/g/a/deep")
}

// A main file that goes during its walk does not take its folder along.
func TestMainFileThatGoesLeavesItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	main := write(t, dir+"/sub/x.companion.ome", "<OME/>")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	n := l.nodes[dir+"/sub"]
	l.lookUnits(n)
	l.sendWalk()
	done := walkDone{walkJob: <-l.jobs}
	require.NoError(t, os.Remove(main))
	w := &walker{match: l.match, limit: l.limit}
	done.err = w.walk(t.Context(), &done)
	require.NoError(t, done.err)
	l.walked(t.Context(), &done)
	require.Contains(t, l.nodes, dir+"/sub")
}

// With events alone, what a failed look missed is looked for all the same.
func TestDoubtIsScannedForWithoutScans(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := rules(dir)
	opts.Rules[0].Mode = ModeEvents
	l := still(t, opts)
	l.scanAll(t.Context())
	require.Greater(t, l.nextScan, 24*time.Hour)
	l.doubt(l.nodes[dir])
	require.LessOrEqual(t, l.nextScan, l.now()+blindInterval)
}

// Folders that are made in one burst are watched before they are listed.
func TestNewFoldersAreWatchedAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, os.Mkdir(dir+"/"+name, 0o755))
		l.subfolder(t.Context(), l.nodes[dir], name, created)
	}
	require.Len(t, l.notify.fs.WatchList(), 4)
}

// Whoever can write beside a watched folder does not lead the watcher elsewhere,
// though the administrator may name it by a link.
func TestRootThatIsSwappedForALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/other/secret.tif", "x")
	require.NoError(t, os.MkdirAll(dir+"/real/ann/inbox", 0o755))
	require.NoError(t, os.Symlink("real", dir+"/share"))
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir + "/share/ann/inbox", Settle: settle}, {Path: dir + "/share/eve", Settle: settle}}})
	fence(t, box, dir+"/share/ann/inbox/a.tif")
	require.NoError(t, os.Rename(dir+"/real/ann/inbox", dir+"/real/ann/old"))
	require.NoError(t, os.Symlink(dir+"/other", dir+"/real/ann/inbox"))
	require.NoError(t, os.Mkdir(dir+"/real/eve", 0o755)) // one that comes later
	fence(t, box, dir+"/share/eve/b.tif")
	require.NoError(t, os.Remove(dir+"/real/ann/inbox"))
	require.NoError(t, os.Rename(dir+"/real/ann/old", dir+"/real/ann/inbox"))
	fence(t, box, dir+"/share/ann/inbox/c.tif")
	require.NotContains(t, box.paths(), dir+"/share/ann/inbox/secret.tif")
}

// A link to a file that is not complete is not complete either.
func TestLinkToAnUnsettledFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	half := write(t, dir+"/out/a.tif", "half")
	require.NoError(t, os.Mkdir(dir+"/in", 0o755))
	l := still(t, Options{Rules: []Rule{{Path: dir + "/in", Settle: maxSettle}}})
	l.scanAll(t.Context())
	n := l.nodes[dir+"/in"]
	n.since += int64(time.Hour) // it was made long before
	require.NoError(t, os.Link(half, dir+"/in/a.tif"))
	l.visit(t.Context(), n, map[string]how{"a.tif": created})
	require.False(t, n.urgent)
	require.NoError(t, os.Remove(half))
	l.settler.forget(n.key(l.seed, "a.tif"))
	l.visit(t.Context(), n, map[string]how{"a.tif": created})
	require.True(t, n.urgent, "moved in, by all that can be known")
}

// Marks of what is gone are forgotten, beside units too.
func TestMarksBesideUnitsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/z.zarr/0", "x")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	n, u := l.nodes[dir], l.nodes[dir+"/z.zarr"].unit
	for mark := range uint64(1000) {
		n.known.add(mark + 1)
	}
	l.scanAll(t.Context())
	require.Equal(t, 1000, n.known.len(), "the unit's own may be among them")
	u.state, u.surface = offered, 7
	n.known.add(7)
	l.scanAll(t.Context())
	require.Equal(t, 1, n.known.len())
}
