package watcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// aged makes a tree whose folders last changed long ago, as far as a pass can
// tell.
func aged(t *testing.T, l *loop) {
	t.Helper()
	for _, n := range l.nodes {
		n.firm = true
	}
}

func TestPassListsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 20 {
		write(t, fmt.Sprintf("%s/%d/a.tif", dir, i), "x")
	}
	l := still(t, rules(dir))
	l.pass(t.Context())
	require.True(t, l.scanned)
	require.Equal(t, []int{21, 21, 20}, []int{l.folders, l.listings, l.files}, "the first is full")
	aged(t, l)
	l.pass(t.Context())
	require.Equal(t, []int{21, 0, 0}, []int{l.folders, l.listings, l.files})
	write(t, dir+"/7/b.tif", "x")
	write(t, dir+"/new/c.tif", "x")
	l.pass(t.Context())
	require.Equal(t, []int{22, 3, 3}, []int{l.folders, l.listings, l.files}, "the root, the one that changed and the new one")
	require.Len(t, l.settler.files, 22)
	l.scanAll(t.Context())
	require.Equal(t, 22, l.listings)
}

// The times of a folder say nothing about what happens within their granule, of
// a server before they have stood for a while, and elsewhere at all.
func TestTimesAreTrustedLate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, rules(dir))
	l.pass(t.Context())
	n := l.root.node
	require.True(t, n.fs.local)
	require.False(t, n.firm, "it was made a moment ago")
	for _, tc := range []struct {
		name    string
		since   time.Duration
		trusted bool
	}{{"nfs", time.Minute, true}, {"nfs", time.Second, false}, {"fuse", time.Minute, false}, {"smb2", time.Minute, false}} {
		now := 2 * time.Minute
		fs := filesystemOf(tc.name)
		require.Equal(t, tc.trusted, fs.firm([2]int64{1, 1}, now-tc.since, now, time.Now()), "%s after %s", tc.name, tc.since)
	}
}

func filesystemOf(name string) filesystem {
	for _, fs := range filesystems {
		if fs.name == name {
			return fs
		}
	}
	return filesystem{}
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode    Mode
		fs      string
		watched bool
	}{
		{ModeAuto, "ext", true},
		{ModeAuto, "tmpfs", true},
		{ModeAuto, "nfs", false},
		{ModeAuto, "fuse", false},
		{ModeAuto, "unheard of", false},
		{ModeScan, "ext", false},
		{ModeEvents, "fuse", true},
		{ModeBoth, "nfs", true},
	} {
		r := &rule{mode: tc.mode}
		place := &node{fs: filesystemOf(tc.fs), spot: spot{place: &place{rule: r}}}
		above := &node{fs: filesystemOf(tc.fs), spot: spot{cursors: []cursor{{rule: &rule{mode: ModeScan}}, {rule: r}}}}
		require.Equal(t, tc.watched, place.listens(), "%v on %s", tc.mode, tc.fs)
		require.Equal(t, tc.watched, above.listens(), "above %v on %s", tc.mode, tc.fs)
	}
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct {
		rules []Rule
		want  time.Duration
	}{
		{[]Rule{{Path: dir}}, watchedInterval},
		{[]Rule{{Path: dir, Mode: ModeScan}}, blindInterval},
		{[]Rule{{Path: dir, Mode: ModeScan, ScanInterval: time.Minute}, {Path: dir + "/{x}", ScanInterval: time.Hour}}, time.Minute},
		{[]Rule{{Path: dir, Mode: ModeEvents}}, never / restFactor},
	} {
		l := still(t, Options{Rules: tc.rules})
		l.pass(t.Context())
		require.Equal(t, tc.want, l.interval())
		require.GreaterOrEqual(t, l.nextScan, tc.want)
	}
	// A folder that could not be watched is scanned for, whatever was asked for.
	l := still(t, Options{Rules: []Rule{{Path: dir, Mode: ModeEvents}}})
	l.pass(t.Context())
	l.notify.remove(l.root.node)
	require.Equal(t, blindInterval, l.interval())
}

// A listing that breaks off leaves nothing unseen until the next full pass.
func TestListingThatFailedIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a.tif", "x")
	l := still(t, rules(dir))
	l.pass(t.Context())
	write(t, dir+"/b.tif", "x")
	l.nextScan = 0
	l.beginPass(t.Context())
	l.meet(t.Context(), l.root.node)
	broken := l.reading.folder
	require.NoError(t, unix.Close(broken.fd))
	broken.fd = -1
	l.readOn(t.Context())
	require.Nil(t, l.reading)
	require.Len(t, l.settler.files, 1)
	aged(t, l)
	l.running = false
	l.pass(t.Context())
	require.Len(t, l.settler.files, 2)
}

// As long as nobody can say what was taken before, a pass waits without a stir.
func TestPassRestsWhileTheSinkIsAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, rules(dir))
	l.pollRoot(t.Context())
	l.scanStep(t.Context())
	l.ask()
	l.scanStep(t.Context())
	<-l.questions
	require.Greater(t, l.pause(), l.rootPoll/2, "until the answer comes")
	l.recalled(t.Context(), answer{err: errSink})
	l.scanStep(t.Context())
	require.Greater(t, l.pause(), l.rootPoll/2, "until it asks again")
}

func TestRootsStartApart(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Rules: []Rule{{Path: "/a"}, {Path: "/b"}, {Path: "/c"}, {Path: "/d"}}}, newInbox())
	require.NoError(t, err)
	seen := map[time.Duration]bool{}
	for i, dir := range w.match.roots() {
		l := newLoop(w, newAnchor(dir), rate.NewLimiter(rate.Inf, 0), i, 4)
		require.Equal(t, time.Duration(i)*stagger, l.nextScan)
		l.notify = &notifier{}
		l.endPass(t.Context())
		at := l.nextScan.Round(time.Second)
		require.False(t, seen[at], "%s again", at)
		require.LessOrEqual(t, at, watchedInterval)
		seen[at] = true
	}
}

func TestScanRateIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	box := newInbox()
	opts := rules(dir)
	opts.ScanRate = 100 // of which the first step is free
	w, err := New(opts, box)
	require.NoError(t, err)
	l := newLoop(w, newAnchor(dir), rate.NewLimiter(100, 1), 0, 1)
	l.limit = rate.NewLimiter(100, maxStep)
	l.limit.ReserveN(time.Now(), maxStep)
	l.notify = newNotifier(t.Context(), w.log)
	defer func() { require.NoError(t, l.notify.close()) }()
	l.pollRoot(t.Context())
	l.ask()
	l.recalled(t.Context(), answer{known: make([][]uint64, len(<-l.questions))})
	l.scanStep(t.Context())
	require.Greater(t, l.scanFree, 300*time.Millisecond)
	before := l.files
	l.scanStep(t.Context())
	require.Equal(t, before, l.files, "not before its time")
}

// ledger is a sink that remembers over restarts, as a database does.
type ledger struct {
	*inbox
	mu    sync.Mutex
	marks map[string][]uint64
	fail  error
	asked chan struct{}
	// before is called, if set, before drops are taken.
	before func()
}

func newLedger() *ledger {
	return &ledger{inbox: newInbox(), marks: map[string][]uint64{}, asked: make(chan struct{}, 1)}
}

func (s *ledger) Known(_ context.Context, folders []string) ([][]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.asked <- struct{}{}:
	default:
	}
	if s.fail != nil {
		return nil, s.fail
	}
	known := make([][]uint64, len(folders))
	for i, f := range folders {
		known[i] = append(known[i], s.marks[f]...)
	}
	return known, nil
}

func (s *ledger) Settled(ctx context.Context, drops []Drop) error {
	if s.before != nil {
		s.before()
	}
	if err := s.inbox.Settled(ctx, drops); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range drops {
		if !d.Control {
			s.marks[filepath.Dir(d.Path)] = append(s.marks[filepath.Dir(d.Path)], d.Mark)
		}
	}
	return nil
}

func TestRestartOffersOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, unit := range []Unit{Auto, Folder} {
		t.Run(fmt.Sprint(unit), func(t *testing.T) {
			t.Parallel()
			dir := fmt.Sprintf("%s/%d", dir, unit)
			for _, f := range []string{"a.tif", "sub/b.tif", "c.ome.zarr/0/0", "c.ome.zarr/.zattrs", "d.vsi", "_d_/stack1/frame_t.ets", "e.nd", "e_w1.tif"} {
				write(t, dir+"/"+f, "x")
			}
			want := []string{"a.tif", "sub/b.tif", "c.ome.zarr", "d.vsi", "e.nd"}
			if unit == Folder {
				want = []string{"sub", "c.ome.zarr", "_d_"}
			}
			sink := newLedger()
			opts := Options{Rules: []Rule{{Path: dir, Settle: settle, Unit: unit, Control: []string{"fence*"}}}}
			stop := startStop(t, sink, opts)
			for _, path := range want {
				sink.waitFor(t, dir+"/"+path)
			}
			stop()
			require.Len(t, sink.all(), len(want), "%s", sink.paths())
			stop = startStop(t, sink, opts)
			fence(t, sink.inbox, dir+"/fence")
			fence(t, sink.inbox, dir+"/fence2")
			require.Len(t, sink.all(), len(want)+2, "%s", sink.paths())
			stop()

			// What changes while nobody watches is offered.
			changed := dir + "/" + want[len(want)-1]
			if unit == Folder {
				changed += "/stack1/frame_t.ets"
			}
			write(t, changed, "more")
			stop = startStop(t, sink, opts)
			defer stop()
			require.Eventually(t, func() bool {
				n := 0
				for _, path := range sink.paths() {
					if path == dir+"/"+want[len(want)-1] {
						n++
					}
				}
				return n == 2
			}, deadline, time.Millisecond)
		})
	}
}

// What comes back while the sink is still taking it is not offered again, even if
// the sink was asked about it before it had taken it.
func TestComesBackWhileBeingTaken(t *testing.T) {
	t.Parallel()
	dir, away := t.TempDir(), t.TempDir()
	for _, f := range []string{"a.tif", "c.ome.zarr/.zattrs", "c.ome.zarr/0/0", "d.vsi", "_d_/stack1/frame_t.ets"} {
		write(t, dir+"/in/"+f, "x")
	}
	sink := newLedger()
	taking, taken := make(chan struct{}, 1), make(chan struct{})
	sink.before = func() {
		select {
		case taking <- struct{}{}:
		default:
		}
		<-taken
	}
	start(t, sink, Options{FullScan: 50 * time.Millisecond, Rules: []Rule{{Path: dir, Settle: time.Second, ScanInterval: 20 * time.Millisecond}}})
	<-taking
	<-sink.asked // when it was found
	require.NoError(t, os.Rename(dir+"/in", away+"/in"))
	require.NoError(t, os.Rename(away+"/in", dir+"/in"))
	<-sink.asked // when it was found again
	late := time.NewTimer(2 * time.Second)
	defer late.Stop()
	<-late.C
	close(taken)
	fence(t, sink.inbox, dir+"/in/fence.tif")
	fence(t, sink.inbox, dir+"/in/fence2.tif")
	paths := sink.paths()
	slices.Sort(paths)
	require.Equal(t, []string{dir + "/in/a.tif", dir + "/in/c.ome.zarr", dir + "/in/d.vsi", dir + "/in/fence.tif", dir + "/in/fence2.tif"}, paths)
}

// Without the sink's word on what was taken, nothing is listed: else all would
// be offered again, and memory grow while the database is away.
func TestNothingIsListedBeforeTheSinkSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a.tif", "x")
	sink := newLedger()
	sink.fail = errors.New("the database is away")
	book := &logbook{}
	opts := rules(dir)
	opts.Log = book.log()
	stop := startStop(t, sink, opts)
	<-sink.asked
	stop()
	require.Empty(t, sink.all())
	require.LessOrEqual(t, book.count("cannot learn"), 1)
}

func TestPendingFilesAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = 500
	for i := range files {
		write(t, fmt.Sprintf("%s/%d/%d.tif", dir, i%3, i), "x")
	}
	l := still(t, rules(dir))
	l.settler.max = 40
	l.pass(t.Context())
	require.Len(t, l.settler.files, 20)
	// They get through all the same.
	taken := map[string]bool{}
	late := time.After(deadline)
	for len(taken) < files {
		select {
		case <-late:
			require.FailNow(t, "files are missing", "%d of %d", len(taken), files)
		case <-time.After(l.pause()):
		}
		l.lookDue(t.Context())
		l.scanStep(t.Context())
		if l.count() == 0 {
			continue
		}
		l.sent = slices.Concat(l.controls, l.others)
		l.controls, l.others = nil, nil
		for _, it := range l.sent {
			require.False(t, taken[it.drop.Path])
			taken[it.drop.Path] = true
		}
		l.returned(t.Context(), nil)
		require.LessOrEqual(t, len(l.settler.files), 20)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	var m marks
	for i := range uint64(1000) {
		m.add(i * 7919 % 1009)
		m.add(i * 7919 % 1009)
	}
	require.Equal(t, 1000, m.len())
	require.True(t, m.has(7919%1009))
	require.Less(t, len(m.fresh), maxFresh)
	m.keep([]uint64{5, 3})
	require.Equal(t, []uint64{3, 5}, m.sorted)
	require.False(t, m.has(7))
	m.keep([]uint64{5, 3})
	require.Equal(t, 2, m.len())
}

func TestFilesystemIsKnown(t *testing.T) {
	t.Parallel()
	f, err := openFolder(newAnchor("/proc"), "/proc")
	require.NoError(t, err)
	defer f.close()
	require.Equal(t, filesystem{name: "unknown"}, f.filesystem())
	dir := t.TempDir()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	g, err := openFolder(newAnchor(dir), dir)
	require.NoError(t, err)
	defer g.close()
	require.True(t, g.filesystem().local, "%x", st.Type)
	require.NoError(t, os.RemoveAll(dir))
}
