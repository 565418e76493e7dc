package watcher

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	opts.Rescan = 50 * time.Millisecond
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
	l := newLoop(w)
	l.notify = newNotifier(t.Context(), w.log)
	defer func() { require.NoError(t, l.notify.close()) }()
	l.pollRoots(t.Context())
	for range 10 {
		l.scanStep(t.Context())
	}
	require.ElementsMatch(t, []string{dir, dir + "/a.zarr"}, l.notify.fs.WatchList())
}

func TestFolderUnit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	opts := Options{
		Rules:  []Rule{{Path: dir + "/{user}", Settle: unhurried, Unit: Folder, Exclude: []string{"*.log"}, Control: []string{"order.yml", "fence*"}}},
		Rescan: 50 * time.Millisecond,
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
	a, b := measure{digest: 1, count: 1}, measure{digest: 2, count: 2}
	u := &unit{top: &node{spot: spot{place: &place{rule: &rule{settle: 10}}}}}
	u.disturb(0)
	require.Equal(t, unitWaits, u.weigh(a, u.seq, 0, 10), "first seen")
	require.Equal(t, unitWaits, u.weigh(a, u.seq, 9, 10), "not quiet long enough")
	require.Equal(t, unitWaits, u.weigh(b, u.seq, 10, 10), "changed")
	require.Equal(t, unitWaits, u.weigh(b, u.seq-1, 30, 10), "disturbed during the walk")
	require.Equal(t, unitSettled, u.weigh(b, u.seq, 30, 10))
	u.state, u.taken = offered, b
	u.disturb(40)
	require.Equal(t, pending, u.state)
	require.Equal(t, unitWaits, u.weigh(b, u.seq, 50, 10))
	require.Equal(t, unitSame, u.weigh(b, u.seq, 60, 10))
	require.Equal(t, unitEmpty, u.weigh(measure{}, u.seq, 60, 10))
	u.placed = true
	require.Equal(t, unitSettled, u.weigh(a, u.seq, 61, 10))
}
