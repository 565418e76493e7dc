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
