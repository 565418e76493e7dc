package watcher

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

func TestZarrIsOneDrop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := dir + "/sub/before.ome.ZARR"
	for i := range 100 {
		write(t, fmt.Sprintf("%s/0/%d/0", before, i), "12345")
	}
	box := newInbox()
	opts := rules(dir)
	opts.Rules[0].Settle = unhurried
	opts.Rules[0].Include = []string{"*.zarr", "fence*"}
	opts.Rules[0].ScanInterval = 50 * time.Millisecond
	start(t, box, opts)
	d := box.waitFor(t, before)
	require.True(t, d.IsDir)
	require.EqualValues(t, 500, d.Size)
	require.NotZero(t, d.Inode)
	require.Equal(t, dir, d.Dir)

	after := dir + "/after.zarr"
	tick := time.NewTicker(unhurried / 20)
	defer tick.Stop()
	for i := range 20 {
		<-tick.C
		write(t, fmt.Sprintf("%s/0/%d/0", after, i), "12345")
	}
	require.EqualValues(t, 100, box.waitFor(t, after).Size)
	fence(t, box, dir+"/fence")
	require.Len(t, box.all(), 3)

	// Changed at its top it is offered again, and only then.
	write(t, after+"/.zattrs", "{}")
	require.EqualValues(t, 102, box.wait(t, 4)[3].Size)
	fence(t, box, dir+"/fence2")
	require.Len(t, box.all(), 5)
}

func TestZarrMovedIntoPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: maxSettle, Control: []string{"*.go"}}}})
	write(t, dir+"/x.go", "x")
	box.wait(t, 1)
	write(t, dir+"/a.zarr.tmp/0/0", "x")
	require.NoError(t, os.Rename(dir+"/a.zarr.tmp", dir+"/a.zarr"))
	box.waitFor(t, dir+"/a.zarr")

	// One that was being written under a name of its own is not complete.
	write(t, dir+"/b.zarr/0/0", "x")
	require.NoError(t, os.Rename(dir+"/b.zarr", dir+"/c.zarr"))
	write(t, dir+"/y.go", "x")
	box.wait(t, 3)
	require.Len(t, box.all(), 3)
}

func TestZarrWithUnitFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	chunk := write(t, dir+"/a.zarr/0/0", "x")
	box := newInbox()
	opts := rules(dir)
	opts.Rules[0].Unit = File
	start(t, box, opts)
	require.False(t, box.waitFor(t, chunk).IsDir)
}

func TestZarrTakesOneWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		write(t, fmt.Sprintf("%s/a.zarr/0/%d/0", dir, i), "x")
	}
	w, err := New(rules(dir), newInbox())
	require.NoError(t, err)
	l := newLoop(w, newAnchor(dir), rate.NewLimiter(rate.Inf, 0), 0, 1)
	l.notify = newNotifier(t.Context(), w.log)
	defer func() { require.NoError(t, l.notify.close()) }()
	l.scanAll(t.Context())
	require.ElementsMatch(t, []string{dir, dir + "/a.zarr"}, l.notify.fs.WatchList())
}

func TestFolderUnit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	opts := Options{
		Rules: []Rule{{Path: dir + "/{user}", Settle: unhurried, Unit: Folder, Exclude: []string{"*.log"}, Control: []string{"order.yml", "fence*"}, ScanInterval: 50 * time.Millisecond}},
	}
	start(t, box, opts)
	write(t, dir+"/ann/loose.tif", "no drop")
	write(t, dir+"/ann/run1/a.tif", "12345")
	tick := time.NewTicker(unhurried / 20)
	defer tick.Stop()
	for i := range 20 {
		<-tick.C
		write(t, fmt.Sprintf("%s/ann/run1/deep/er/%d.tif", dir, i), "12345")
	}
	write(t, dir+"/ann/run1/deep/x.log", "not counted")
	write(t, dir+"/ann/empty/x.log", "not counted")
	d := box.waitFor(t, dir+"/ann/run1")
	require.True(t, d.IsDir)
	require.EqualValues(t, 105, d.Size)
	require.Equal(t, "ann", d.Captures["user"])

	// Its own manifest holds the folder back, from however deep.
	write(t, dir+"/ann/run2/b.tif", "x")
	write(t, dir+"/ann/run2/deep/order.yml", "x")
	all := box.wait(t, 3)
	require.Equal(t, []string{dir + "/ann/run2/deep/order.yml", dir + "/ann/run2"}, []string{all[1].Path, all[2].Path})

	// Receipts and rescans do not make it a new drop, a new file does.
	write(t, dir+"/ann/run2/deep/order.yml.receipt.json", "{}")
	fence(t, box, dir+"/ann/fence")
	require.Len(t, box.all(), 4)
	write(t, dir+"/ann/run2/deep/c.tif", "123")
	require.EqualValues(t, 4, box.wait(t, 5)[4].Size)
}

func TestFolderUnitMovedIntoPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: maxSettle, Unit: Folder, Control: []string{"*.go"}}}})
	write(t, dir+"/x.go", "x")
	box.wait(t, 1)
	write(t, dir+"/run.tmp/deep/er/a.tif", "x")
	require.NoError(t, os.Rename(dir+"/run.tmp", dir+"/run"))
	box.waitFor(t, dir+"/run")
}

func TestWeigh(t *testing.T) {
	t.Parallel()
	a, b := measure{digest: 1, mark: 1, count: 1}, measure{digest: 2, mark: 2, count: 2}
	u := &unit{home: &node{spot: spot{place: &place{rule: &rule{settle: 10}}}}}
	u.disturb(0)
	require.Equal(t, unitWaits, u.weigh(a, u.seq, 0, 10, false, false), "first seen")
	require.Equal(t, unitWaits, u.weigh(a, u.seq, 9, 10, false, false), "not quiet long enough")
	require.Equal(t, unitWaits, u.weigh(b, u.seq, 10, 10, false, false), "changed")
	require.Equal(t, unitWaits, u.weigh(b, u.seq-1, 30, 10, false, false), "disturbed during the walk")
	require.Equal(t, unitSettled, u.weigh(b, u.seq, 30, 10, false, false))
	u.state, u.taken = offered, b
	u.disturb(40)
	require.Equal(t, pending, u.state)
	require.Equal(t, unitWaits, u.weigh(b, u.seq, 50, 10, false, false))
	require.Equal(t, unitSame, u.weigh(b, u.seq, 60, 10, false, false))
	require.Equal(t, unitEmpty, u.weigh(measure{}, u.seq, 60, 10, false, false))
	require.Equal(t, unitSettled, u.weigh(a, u.seq, 61, 10, true, false))
	require.Equal(t, unitSame, u.weigh(b, u.seq, 61, 10, true, false))
	u.disturb(70)
	require.Equal(t, unitWaits, u.weigh(a, u.seq, 79, 10, false, true), "not quiet long enough")
	require.Equal(t, unitSettled, u.weigh(a, u.seq, 80, 10, false, true))
}

// A list of companions that is still being written does not set free what it has
// yet to name.
func TestHalfACompanionFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.ome.tif", "b.ome.tif"} {
		write(t, dir+"/"+name, "x")
	}
	main := write(t, dir+"/x.companion.ome", `<OME><UUID FileName="a.ome.tif"/>`)
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	n := l.nodes[dir]
	u := n.units["x.companion.ome"]
	walk := func() {
		l.measure(u)
		l.sendWalk()
		done := walkDone{walkJob: <-l.jobs}
		w := &walker{match: l.match, limit: l.limit}
		done.err = w.walk(t.Context(), &done)
		l.walked(t.Context(), &done)
	}
	belongs := func(name string) (bool, bool) {
		found, sure := n.partOf(name)
		return found == u, sure
	}
	walk()
	is, sure := belongs("a.ome.tif")
	require.True(t, is && sure)
	is, sure = belongs("b.ome.tif")
	require.True(t, is && !sure, "who knows")
	write(t, main, `<OME><UUID FileName="a.ome.tif"/><UUID FileName="b.ome.tif"/></OME>`)
	walk()
	is, sure = belongs("b.ome.tif")
	require.True(t, is && sure)

	// One that stays cut short counts as it is once it has settled.
	write(t, main, `<OME><UUID FileName="a.ome.tif"/>`)
	l.disturb(u)
	late := time.After(deadline)
	for u.state == pending {
		select {
		case <-late:
			require.FailNow(t, "it does not settle")
		case <-time.After(settle):
			walk()
		}
	}
	is, _ = belongs("b.ome.tif")
	require.False(t, is)
}

// Beside a companion file that stays broken, and was taken, a file that comes
// later is a drop of its own.
func TestFileBesideABrokenCompanionFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir))
	write(t, dir+"/x.companion.ome", "broken")
	box.waitFor(t, dir+"/x.companion.ome")
	write(t, dir+"/late.ome.tif", "x")
	box.waitFor(t, dir+"/late.ome.tif")
}

// A main file with its companions is gone through no more often than needed.
func TestMainFileIsTakenAfterOneQuietTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a.nd", "x")
	write(t, dir+"/a_w1.tif", "x")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	l.measure(l.nodes[dir].units["a.nd"])
	require.False(t, l.walks[0].early)
}

// What a share's writers can put in the way of a walk does not stop it.
func TestWalkThroughHostileUnits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, unix.Mkfifo(dir+"/x.companion.ome", 0o644))
	pipe, err := os.OpenFile(dir+"/x.companion.ome", os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, pipe.Close()) }()
	f, err := openFolder(newAnchor(dir), dir)
	require.NoError(t, err)
	defer f.close()
	_, _, err = companionFiles(f, "x.companion.ome")
	require.ErrorIs(t, err, unix.ENOENT, "a pipe is not read")

	require.NoError(t, os.MkdirAll(dir+"/deep.zarr"+strings.Repeat("/d", maxDepth+1), 0o755))
	w, err := New(rules(dir), newInbox())
	require.NoError(t, err)
	_, _, err = w.Measure(t.Context(), dir+"/deep.zarr")
	require.ErrorContains(t, err, "more than 64 folders deep")

	for i := range 50 {
		write(t, fmt.Sprintf("%s/plate/%d.tiff", dir, i), "x")
	}
	write(t, dir+"/plate/Index.idx.xml", "x")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = w.Measure(ended, dir+"/plate/Index.idx.xml")
	require.ErrorIs(t, err, context.Canceled)
}

// One that has the name of a slide's index hides no image.
func TestStraySlideIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/Slidedat.ini", "x")
	for _, name := range []string{"a.tif", "ann/b.tif", "Data0000.dat"} {
		write(t, dir+"/"+name, "x")
	}
	box := newInbox()
	start(t, box, rules(dir))
	box.waitFor(t, dir+"/a.tif")
	box.waitFor(t, dir+"/ann/b.tif")
	fence(t, box, dir+"/fence.tif")
	require.Len(t, box.all(), 3)
}

// However many main files a folder holds, the unit of a companion is found, and
// without asking each.
func TestClaimantIsFoundAmongMany(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := &node{}
		piece := rapid.SampledFrom([]string{"a", "A", "b", "_", "__", ".", "a_w1", "x"})
		name := func(label string) string {
			return strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, label), "")
		}
		for range rapid.IntRange(0, 8).Draw(t, "mains") {
			ext := rapid.SampledFrom([]string{".vsi", ".mrxs", ".nd", ".htd", ".xlef", ".companion.ome"}).Draw(t, "ext")
			u := &unit{home: n, main: name("main") + ext}
			if u.format, u.stem = formatOf(lower(u.main)); n.units[u.main] == nil && u.format != nil {
				n.enter(u)
			}
		}
		for range 20 {
			low := lower(name("companion")) + rapid.SampledFrom([]string{"", ".tif", ".stk", ".lof", ".ome.tif", "_w1.tif", "_"}).Draw(t, "end")
			dir := rapid.Bool().Draw(t, "dir")
			wantSure, wantMay := false, false
			for _, u := range n.units {
				is, may := u.owns(low, dir)
				wantSure, wantMay = wantSure || is, wantMay || may
			}
			u, sure := n.claimant(low, dir)
			if sure != wantSure || (u != nil) != (wantSure || wantMay) {
				t.Fatalf("%q: %v %t, want %t %t", low, u, sure, wantSure, wantMay)
			}
		}
		for _, u := range n.units {
			n.leave(u)
		}
		if len(n.stems)+len(n.loose) > 0 {
			t.Fatalf("left behind: %v %v", n.stems, n.loose)
		}
	})
}

// A folder full of main files whose companions can have any name is bounded.
func TestMainFilesOfAnyNameAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range maxLoose + 10 {
		write(t, fmt.Sprintf("%s/%d.companion.ome", dir, i), "x")
	}
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	require.Len(t, l.nodes[dir].units, maxLoose)
	require.Len(t, l.settler.files, 10, "the others are files like any other")
}

// An acquisition that goes on after a pause shows on the trail, though the top of
// its folder stays as it was.
func TestImageThatGoesOnIsFoundByAPass(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/z.zarr/0/0/0", "x")
	box := newInbox()
	opts := rules(dir)
	opts.Rules[0].ScanInterval = 50 * time.Millisecond
	start(t, box, opts)
	require.EqualValues(t, 1, box.waitFor(t, dir+"/z.zarr").Size)
	late := time.After(deadline)
	for size := 2; len(box.all()) == 1; size++ {
		write(t, dir+"/z.zarr/0/0/"+strconv.Itoa(size), "x")
		select {
		case <-late:
			require.FailNow(t, "it is not offered again")
		case <-time.After(4 * settle):
		}
	}
	require.Greater(t, box.all()[1].Size, int64(1))
}

// A unit of an outer rule leaves the folders of inner ones alone.
func TestUnitsLeaveOtherRulesFoldersAlone(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]Unit{"main file": Auto, "folder": Folder} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			box := newInbox()
			opts := Options{Rules: []Rule{
				{Path: dir, Settle: settle, Unit: unit, Control: []string{"fence*"}},
				{Path: dir + "/{user}/inbox", Settle: settle},
			}}
			start(t, box, opts)
			write(t, dir+"/ada/inbox/before.tif", "x")
			box.waitFor(t, dir+"/ada/inbox/before.tif")
			write(t, dir+"/ada/beside.tif", "x")
			write(t, dir+"/experiment.db", "x")
			write(t, dir+"/images-0.db", "x")
			write(t, dir+"/bob/inbox/after.tif", "12345")
			require.Equal(t, 1, box.waitFor(t, dir+"/bob/inbox/after.tif").Rule)
			write(t, dir+"/ada/inbox/after.tif", "12345")
			box.waitFor(t, dir+"/ada/inbox/after.tif")
			for _, d := range box.all() {
				if d.Path == dir+"/experiment.db" || d.Path == dir+"/ada" {
					require.Less(t, d.Size, int64(5), "%s holds others' files", d.Path)
				}
			}
		})
	}
}

// Walks that only look for changes are left to full passes, and are done after
// those that a new drop waits for.
func TestTakenUnitsAreWalkedByFullPassesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: settle, Unit: Folder, Mode: ModeScan}}})
	for i := range 5 {
		write(t, fmt.Sprintf("%s/u%d/a.tif", dir, i), "x")
	}
	l.scanAll(t.Context())
	for _, n := range l.nodes {
		if n.unit != nil {
			n.unit.state = offered
		}
	}
	l.nextFull = never
	l.pass(t.Context())
	require.Empty(t, l.walks)
	l.scanAll(t.Context())
	require.Len(t, l.walks, 5)
	write(t, dir+"/new/a.tif", "x")
	l.pass(t.Context())
	l.lookUnits(l.nodes[dir+"/new"])
	l.sendWalk()
	require.Equal(t, dir+"/new", (<-l.jobs).path)
}

// A unit of many files that is not to be had yet is not walked through all the time.
func TestWalksThatWereInVainRest(t *testing.T) {
	t.Parallel()
	const took = 10 * time.Minute
	for name, done := range map[string]walkDone{
		"held open": {written: true, measure: measure{count: 1, mark: 1}},
		"denied":    {err: os.ErrPermission},
		"lacking":   {missing: "a file", measure: measure{count: 1, mark: 1}},
		"empty":     {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir+"/a.zarr/0/0", "x")
			l := still(t, rules(dir))
			l.scanAll(t.Context())
			u := l.nodes[dir+"/a.zarr"].unit
			u.idle, u.placed = false, true
			l.measure(u)
			done.walkJob, done.took = l.walks[0], took
			l.walked(t.Context(), &done)
			require.Greater(t, u.next-l.now(), (restShare-1)*took)
		})
	}
}

// Files that only might be companions of a unit do not keep it, and so themselves,
// waiting for as long as more of them come.
func TestStreamOfMaybeCompanionsIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: unhurried}}})
	write(t, dir+"/x.ome.tif", "x")
	write(t, dir+"/old.companion.ome", `<OME><UUID FileName="x.ome.tif"/></OME>`)
	box.waitFor(t, dir+"/old.companion.ome")
	tick := time.NewTicker(unhurried / 3)
	defer tick.Stop()
	late := time.After(deadline)
	for i := 0; len(box.all()) < 4; i++ {
		select {
		case <-tick.C:
			write(t, fmt.Sprintf("%s/n%d.ome.tif", dir, i), "x")
		case <-late:
			require.Fail(t, "nothing was taken while files came", "%d did", i)
		}
	}
}

// What changes in a unit while it is found to be as before a restart is not lost.
func TestKnownUnitIsDisturbedDuringItsWalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: settle, Unit: Folder}}})
	write(t, dir+"/run/a", "x")
	l.scanAll(t.Context())
	u := l.nodes[dir+"/run"].unit
	l.nodes[dir].known.add(77)
	l.measure(u)
	l.disturb(u)
	l.walked(t.Context(), &walkDone{walkJob: l.walks[0], measure: measure{count: 1, mark: 77}})
	require.Equal(t, pending, u.state)
}

// After a restart, too, it is noticed when more comes into a .zarr that was taken.
func TestKnownZarrThatGrowsIsWalked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, rules(dir))
	write(t, dir+"/a.zarr/.zattrs", "x")
	write(t, dir+"/a.zarr/0/0", "x")
	known := shallow(mustOpen(t, dir+"/a.zarr"), "a.zarr", mustOpen(t, dir).filesystem())
	pass := func() {
		l.nextFull, l.nextPoll, l.nextScan, l.rested = 0, 0, 0, 0
		l.pollRoot(t.Context())
		for l.scanStep(t.Context()); l.running; l.scanStep(t.Context()) {
			if l.ask(); len(l.asked) > 0 {
				marks := make([][]uint64, len(<-l.questions))
				marks[0] = []uint64{known}
				l.recalled(t.Context(), answer{known: marks})
			}
		}
	}
	pass()
	u := l.nodes[dir+"/a.zarr"].unit
	require.Equal(t, offered, u.state)
	l.walkAll(t)
	require.NotEmpty(t, u.trail)
	laterThan(t, dir+"/a.zarr/.zattrs", write(t, dir+"/a.zarr/0/1", "more"))
	pass()
	l.walkAll(t)
	require.Equal(t, pending, u.state)
	l.settleAll(t, 1)
	require.Equal(t, []string{dir + "/a.zarr"}, l.sendNow())
}
