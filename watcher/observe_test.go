package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// heard is an observer that keeps what it is told.
type heard struct {
	mu    sync.Mutex
	taken []time.Duration
	scans [][2]int
	lost  int
}

func (h *heard) Taken(after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = append(h.taken, after)
}

func (h *heard) Scanned(_ time.Duration, folders, files int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scans = append(h.scans, [2]int{folders, files})
}

func (h *heard) Lost() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost++
}

func (h *heard) delays() []time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]time.Duration(nil), h.taken...)
}

// await returns once ok holds.
func await(t *testing.T, ok func() bool, what string) {
	t.Helper()
	require.Eventually(t, ok, deadline, time.Millisecond, what)
}

// A drop is told of with the time since it last changed, which one that was moved
// into place has hardly waited.
func TestObserver_hearsHowLongDropsWaited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box, told := newInbox(), &heard{}
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: unhurried}}, Observer: told})
	fence(t, box, dir+"/fence")
	await(t, func() bool { return len(told.delays()) == 1 }, "one that settled is told of")
	require.GreaterOrEqual(t, told.delays()[0], unhurried)

	write(t, dir+"/unit.zarr/0", "x")
	box.wait(t, 2)
	await(t, func() bool { return len(told.delays()) == 2 }, "a unit is told of")
	require.GreaterOrEqual(t, told.delays()[1], unhurried)
	told.mu.Lock()
	defer told.mu.Unlock()
	require.Equal(t, 1, told.scans[0][0], "the first pass met one folder")
}

func TestObserver_countsAMovedFileFromItsMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Hour}}})
	key, now := uint64(7), tick(10_000_000)
	quiet := ticks(time.Hour)
	require.True(t, l.settler.see(key, 1, now, quiet, placed).settled)
	after, ok := l.settler.after(key, now+20, quiet)
	require.True(t, ok)
	require.EqualValues(t, 20, after)
	l.settler.see(key, 2, now+30, quiet, touched)
	after, _ = l.settler.after(key, now+40, quiet)
	require.EqualValues(t, 10, after)
}

func TestObserver_hearsOfLostEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box, told := newInbox(), &heard{}
	w, err := New(Options{Rules: []Rule{{Path: dir, Settle: settle}}, Observer: told}, box)
	require.NoError(t, err)
	stop := run(t, w)
	defer stop()
	fence(t, box, dir+"/fence")
	w.atWork()[0].notify.lost <- struct{}{}
	await(t, func() bool {
		told.mu.Lock()
		defer told.mu.Unlock()
		return told.lost == 1
	}, "it is told of")
}

func TestState_sumsUpAllRoots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/here/sub/a.tif", "x")
	w, err := New(Options{Rules: []Rule{{Path: dir + "/here", Settle: time.Hour}, {Path: dir + "/away"}}}, newInbox())
	require.NoError(t, err)
	require.Equal(t, State{Roots: 2}, w.State())
	stop := run(t, w)
	await(t, func() bool { return w.State() == State{Roots: 2, Missing: 1, Folders: 2, Watches: 2, Unsettled: 1} }, "it has looked")
	stop()
	require.Equal(t, State{Roots: 2}, w.State())
}

func TestSettling_tellsWhatWaitsAndUntilWhen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := New(Options{Rules: []Rule{{Path: dir + "/a", Settle: time.Hour}, {Path: dir + "/b", Settle: 2 * time.Hour}}}, newInbox())
	require.NoError(t, err)
	require.Empty(t, w.Settling(10), "nothing runs")
	before := time.Now()
	file := write(t, dir+"/a/a.tif", "x")
	unit := filepath.Dir(write(t, dir+"/a/u.zarr/0", "x"))
	later := write(t, dir+"/b/b.tif", "x")
	stop := run(t, w)
	defer stop()
	await(t, func() bool { return len(w.Settling(10)) == 3 }, "all are there")
	after := time.Now()
	list := w.Settling(10)
	require.ElementsMatch(t, []string{file, unit}, []string{list[0].Path, list[1].Path})
	require.Equal(t, later, list[2].Path, "the next due come first")
	for i, quiet := range []time.Duration{time.Hour, time.Hour, 2 * time.Hour} {
		s := list[i]
		require.WithinRange(t, s.Since, before.Add(-time.Millisecond), after)
		require.WithinRange(t, s.Due, before.Add(quiet-time.Millisecond), after.Add(quiet+time.Second))
	}
	require.Len(t, w.Settling(1), 1)
	require.Empty(t, w.Settling(0))
}

// What is held back is shown too, and a folder stands for very many files.
func TestSettling_ofAFolderFullOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Hour, Control: []string{"*.yml"}}}})
	for i := range maxNames + 1 {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	l.scanAll(t.Context())
	list := l.settling(10)
	require.Len(t, list, 1)
	require.Equal(t, dir, list[0].Path)
	n := l.nodes[dir]
	l.queue.remove(n)
	l.held[n] = struct{}{}
	require.Len(t, l.settling(10), 1)
}

// Snapshots and a watcher at work do not disturb each other.
func TestSettling_besideTheWatcher(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	w, err := New(Options{Rules: []Rule{{Path: dir, Settle: settle}}}, box)
	require.NoError(t, err)
	stop := run(t, w)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for range 200 {
			w.Settling(5)
			w.State()
		}
	}()
	const files = 300
	for i := range files {
		write(t, fmt.Sprintf("%s/%d/a.tif", dir, i%20), strconv.Itoa(i))
		require.NoError(t, os.Rename(fmt.Sprintf("%s/%d/a.tif", dir, i%20), fmt.Sprintf("%s/%d/%d.tif", dir, i%20, i)))
	}
	box.wait(t, files)
	<-asked
	stop()
	require.Empty(t, w.Settling(5))
}

// A loop that stands still is stuck only where its filesystem answers.
func TestStuck(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	for name, tc := range map[string]struct {
		end   func() string
		stuck bool
	}{
		"answers": {nil, true},
		"hangs":   {func() string { <-hangs; return "/" }, false},
	} {
		dir := t.TempDir()
		l := still(t, Options{Rules: []Rule{{Path: dir}}})
		if tc.end != nil {
			l.root.end = tc.end
		}
		now := time.Now()
		after := func(n int) bool { return l.stuck(now.Add(time.Duration(n)*time.Minute), 3*time.Minute) }
		require.False(t, after(0), name)
		require.False(t, after(2), name)
		l.show()
		require.False(t, after(3), "%s: it has been at work", name)
		require.False(t, after(5), name)
		require.False(t, after(6), "%s: now it is asked", name)
		if tc.stuck {
			await(t, l.pulse.asking.answered.Load, name)
		}
		require.False(t, after(7), "%s: it may be about to go on", name)
		require.False(t, after(9), name)
		require.Equal(t, tc.stuck, after(10), name)
		l.show()
		require.False(t, after(11), "%s: it goes on", name)
	}
	close(hangs)
}

// One that only waits is at work.
func TestStuck_notWhileNothingHappens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := New(Options{Rules: []Rule{{Path: dir}}}, newInbox())
	require.NoError(t, err)
	stop := run(t, w)
	defer stop()
	await(t, func() bool { return w.State().Folders == 1 }, "it runs")
	turns := w.atWork()[0].shown.turns.Load()
	await(t, func() bool { return w.atWork()[0].shown.turns.Load() > turns+2 }, "it turns")
	require.False(t, w.Stuck(time.Minute))
}
