package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func controlled(path string, settle time.Duration) Options {
	return Options{Rules: []Rule{{Path: path, Settle: settle, Control: []string{"order.yml", "*.order.yml"}}}}
}

func TestControlFilesComeFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 200 {
		write(t, fmt.Sprintf("%s/in/%d.tif", dir, i), "x")
		write(t, fmt.Sprintf("%s/in/sub/%d/a.tif", dir, i), "x")
	}
	write(t, dir+"/in/zz.order.yml", "x")
	write(t, dir+"/in/z.zarr/0/0", "x")
	box := newInbox()
	start(t, box, controlled(dir+"/in", settle))
	all := box.wait(t, 402)
	require.Equal(t, dir+"/in/zz.order.yml", all[0].Path)
	for i, d := range all {
		require.Equal(t, i == 0, d.Control)
	}
}

// An unsettled control file holds back what is beside and below it, settled or
// moved into place, and nothing else.
func TestControlFileHoldsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, controlled(dir, unhurried))
	fence(t, box, dir+"/fence")

	manifest, err := os.Create(dir + "/run/order.yml")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Nil(t, manifest)
	require.NoError(t, os.Mkdir(dir+"/run", 0o755))
	manifest, err = os.Create(dir + "/run/order.yml")
	require.NoError(t, err)
	write(t, dir+"/run/a.tif", "x")
	write(t, dir+"/run/sub/b.tif", "x")
	write(t, dir+"/run/c.zarr/0", "x")
	write(t, dir+"/run/d.tmp", "x")
	require.NoError(t, os.Rename(dir+"/run/d.tmp", dir+"/run/d.tif"))
	beside := write(t, dir+"/beside/e.tif", "x")

	// As long as somebody writes the manifest, only the file beside comes.
	tick := time.NewTicker(unhurried / 20)
	defer tick.Stop()
	for range 40 {
		<-tick.C
		_, err := manifest.WriteString("line\n")
		require.NoError(t, err)
	}
	require.Equal(t, []string{dir + "/fence", beside}, box.paths())
	require.NoError(t, manifest.Close())
	all := box.wait(t, 7)
	require.Len(t, all, 7)
	require.True(t, all[2].Control)

	// Without its manifest a file is free.
	write(t, dir+"/run/order.yml", "again")
	free := write(t, dir+"/run/f.tif", "x")
	require.NoError(t, os.Remove(dir+"/run/order.yml"))
	box.waitFor(t, free)
	require.Len(t, box.all(), 8)
}

func TestRefusedControlFileStillComesFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	fails := 3
	box.fail = func() error {
		if fails == 0 {
			return nil
		}
		fails--
		return errSink
	}
	write(t, dir+"/a.tif", "x")
	write(t, dir+"/order.yml", "x")
	start(t, box, controlled(dir, settle))
	all := box.wait(t, 2)
	require.True(t, all[0].Control)
}

func TestLargeFolderComesInBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = maxBatch + 500
	for i := range files {
		require.NoError(t, os.WriteFile(fmt.Sprintf("%s/%d", dir, i), nil, 0o644))
	}
	write(t, dir+"/order.yml", "x")
	box := newInbox()
	start(t, box, controlled(dir, settle))
	all := box.wait(t, files+1)
	require.Len(t, all, files+1)
	require.True(t, all[0].Control)
	seen := map[string]bool{}
	for _, d := range all {
		require.False(t, seen[d.Path])
		seen[d.Path] = true
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	for _, n := range box.sizes {
		require.LessOrEqual(t, n, maxBatch)
	}
}

func TestSettleZeroWaitsForASecondLook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir}}})
	began := time.Now()
	plain := write(t, dir+"/plain.tif", "x")
	write(t, dir+"/moved.part", "x")
	require.NoError(t, os.Rename(dir+"/moved.part", dir+"/moved.tif"))
	box.waitFor(t, plain)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.Len(t, box.wait(t, 2), 2)
	require.Equal(t, "moved.tif", filepath.Base(box.paths()[0]))
}

// Where nothing tells that a control file went, the next listing does, however
// many files it held back.
func TestControlFileThatWentHoldsNothing(t *testing.T) {
	t.Parallel()
	const files = maxNames + 8
	dir := t.TempDir()
	for i := range files {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	control := write(t, dir+"/order.yml", "x")
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Millisecond, Mode: ModeScan, Control: []string{"*.yml"}}}})
	l.scanAll(t.Context())
	require.NoError(t, os.Remove(control))
	l.scanAll(t.Context())
	late := time.After(deadline)
	for l.count() < files {
		select {
		case <-late:
			require.FailNow(t, "files are held back", "%d came", l.count())
		case <-time.After(time.Millisecond):
			l.lookDue(t.Context())
		}
	}
}

// A control file does not wait for files that wait for each other.
func TestControlFileIsNotGathered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Minute, Control: []string{"*.yml"}}}})
	for _, name := range []string{"old.tif", "new.tif", "order.yml"} {
		write(t, dir+"/"+name, "x")
	}
	l.scanAll(t.Context())
	n := l.nodes[dir]
	key := n.key(l.seed, "old.tif")
	st := l.settler.files[key]
	st.since -= 70_000
	l.settler.files[key] = st
	l.queue.remove(n)
	l.look(t.Context(), n)
	require.Zero(t, l.count(), "it waits for the other one")
	require.LessOrEqual(t, n.due-l.now(), millis(n.quiet(control)))
}

// More files than a batch holds, all held back, cost no more than few.
func TestManyHeldFilesRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Millisecond, Control: []string{"*.yml"}}}})
	for i := range maxBatch + 50 {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	l.scanAll(t.Context())
	n := l.nodes[dir]
	n.expect("order.yml")
	late := time.After(deadline)
	for n.queuer >= 0 && n.due <= l.now()+2*time.Second { // all have settled, and none can go
		select {
		case <-late:
			require.FailNow(t, "it does not rest")
		case <-time.After(time.Millisecond):
			l.lookDue(t.Context())
		}
	}
	require.Zero(t, l.count())
	n.release("order.yml")
	l.wake()
	l.lookDue(t.Context())
	require.Equal(t, maxBatch, l.count())
}

// A place full of unsettled files has room for the manifest that they wait for.
func TestControlFileAlwaysHasRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := still(t, Options{Rules: []Rule{{Path: dir, Settle: time.Hour, Control: []string{"*.yml"}}}})
	l.settler.max = 40
	for i := range 50 {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	l.scanAll(t.Context())
	require.Len(t, l.settler.files, 20)
	write(t, dir+"/order.yml", "x")
	l.scanAll(t.Context())
	require.Len(t, l.settler.files, 21)
	require.Contains(t, l.settler.files, l.nodes[dir].key(l.seed, "order.yml"))
}

// A manifest that is taken away and put back as it was is offered again: whoever
// reads it may have seen that it was gone. Without events no pass may have met the
// folder without it.
func TestControlFileThatComesBackIsOfferedAgain(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]Mode{"events": ModeEvents, "scan": ModeScan} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			box := newInbox()
			start(t, box, Options{Rules: []Rule{{
				Path: dir + "/in", Settle: settle, Control: []string{"*.yml"}, Mode: mode, ScanInterval: 50 * time.Millisecond,
			}}})
			path := write(t, dir+"/in/order.yml", "x")
			box.wait(t, 1)
			require.NoError(t, os.Rename(path, dir+"/order.yml"))
			require.NoError(t, os.Rename(dir+"/order.yml", path))
			require.Equal(t, path, box.wait(t, 2)[1].Path)
		})
	}
}
