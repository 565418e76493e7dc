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
	l := newLoop(w)
	l.notify = newNotifier(t.Context(), w.log)
	t.Cleanup(func() { require.NoError(t, l.notify.close()) })
	return l
}

// scanAll runs one full scan.
func (l *loop) scanAll(ctx context.Context) {
	l.nextPoll, l.nextScan = 0, 0
	l.pollRoots(ctx)
	for l.scanStep(ctx); l.running || len(l.lists) > 0; {
		l.scanStep(ctx)
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
	require.Len(t, l.settler.known, 1)
	require.Len(t, l.nodes, 3)
	require.NoError(t, os.RemoveAll(dir+"/a"))
	require.NoError(t, os.Rename(dir+"/c.zarr", dir+"/d.zarr"))
	l.scanAll(t.Context())
	require.Empty(t, l.settler.known, "what has gone is forgotten")
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
		f, err := openFolder(dir+"/in", dir+"/in"+path)
		require.Equal(t, ok, err == nil, path)
		if err == nil {
			f.close()
			continue
		}
		require.True(t, gone(err), "%s: %v", path, err)
		top, err := unix.Open(dir+"/in", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		_, err = stepDown(top, path[1:])
		require.True(t, gone(err), "%s: %v", path, err)
		closeFD(top)
	}
	top, err := unix.Open(dir+"/in", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer closeFD(top)
	fd, err := stepDown(top, "sub/deep")
	require.NoError(t, err)
	closeFD(fd)
	// The root itself may be reached through a link.
	f, err := openFolder(dir+"/in/near", dir+"/in/near/deep")
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
	require.Contains(t, l.settler.known, key(l.seed, l.nodes[dir].hash, "unheard.tif"), path)
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
	require.Zero(t, b.flushAt())
	b = batch{}
	b.add(10*time.Second, item{})
	require.Equal(t, 10*time.Second+lull, b.flushAt())
	b.add(10*time.Second+maxLull, item{})
	require.Equal(t, 10*time.Second+maxLull, b.flushAt())
}
