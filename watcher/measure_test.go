package watcher

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Measure tells and what is handed over are the same, so that the sink can
// recognise the one by the other.
func TestMeasureIsWhatIsHandedOver(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{Auto, File, Folder} {
		dir := t.TempDir()
		for _, f := range []string{
			"ann/a.tif", "ann/sub/b.tif", "ann/c.ome.zarr/0/0", "ann/c.ome.zarr/.zattrs", "ann/c.ome.zarr/x.tmp", "ann/d.vsi",
			"ann/_d_/stack1/frame_t.ets", "ann/run/x.log", "ann/.processed/p.tif", "ann/run/order.yml",
		} {
			write(t, dir+"/"+f, f)
		}
		box := newInbox()
		w, err := New(Options{Rules: []Rule{{Path: dir + "/{user}", Settle: settle, Unit: unit, Exclude: []string{"*.log"}, Control: []string{"order.yml", "fence"}}}}, box)
		require.NoError(t, err)
		start(t, box, Options{Rules: []Rule{{Path: dir + "/{user}", Settle: settle, Unit: unit, Exclude: []string{"*.log"}, Control: []string{"order.yml", "fence"}}}})
		want := map[Unit][]string{
			Auto: {"a.tif", "sub/b.tif", "c.ome.zarr", "d.vsi"}, File: {"a.tif", "c.ome.zarr/0/0", "d.vsi", "_d_/stack1/frame_t.ets"},
			Folder: {"sub", "c.ome.zarr", "_d_"},
		}[unit]
		for _, path := range want {
			offered := box.waitFor(t, dir+"/ann/"+path)
			measured, ok, err := w.Measure(t.Context(), offered.Path)
			require.NoError(t, err)
			require.True(t, ok, path)
			require.Equal(t, offered, measured)
		}
	}
}

func TestMeasureOfWhatIsNoDrop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/ann/c.zarr/0/0", "x")
	write(t, dir+"/ann/x.tmp", "x")
	write(t, dir+"/ann/sub/a.tif", "x")
	require.NoError(t, os.Symlink(dir+"/ann/sub", dir+"/ann/link"))
	w, err := New(rules(dir+"/{user}"), newInbox())
	require.NoError(t, err)
	for _, path := range []string{"/ann/c.zarr/0/0", "/ann/c.zarr/0", "/ann/x.tmp", "/ann/sub", "/ann", "/ann/gone", "/ann/link/a.tif", "/../elsewhere", "/ann/sub/a.tif/b"} {
		_, ok, err := w.Measure(t.Context(), dir+path)
		require.NoError(t, err, path)
		require.False(t, ok, path)
	}
}

// Control tells of each control file what is handed over, and of no other file.
func TestControlIsWhatIsHandedOver(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{Auto, File, Folder} {
		dir := t.TempDir()
		opts := Options{Rules: []Rule{{Path: dir + "/{user}", Settle: settle, Unit: unit, Control: []string{"*order.yml"}}}}
		paths := []string{
			"ann/order.yml", "ann/sub/order.yml", "ann/sub/deep/x.order.yml", "ann/c.ome.zarr/order.yml", "ann/.processed/order.yml",
			"ann/._order.yml", "ann/a.tif", "ann/sub/b.tif", "order.yml",
		}
		for _, path := range paths {
			write(t, dir+"/"+path, path)
		}
		box := newInbox()
		w, err := New(opts, box)
		require.NoError(t, err)
		start(t, box, opts)
		box.waitFor(t, dir+"/ann/order.yml")
		if unit == Folder {
			box.waitFor(t, dir+"/ann/sub")
		} else {
			box.waitFor(t, dir+"/ann/a.tif")
		}
		handed := map[string]Drop{}
		for _, d := range box.all() {
			if d.Control {
				handed[d.Path] = d
			}
		}
		for _, path := range paths {
			told, ok := w.Control(dir + "/" + path)
			want, found := handed[dir+"/"+path]
			require.Equal(t, found, ok, "%s %v", path, unit)
			require.Equal(t, want.Dir, told.Dir, path)
			require.Equal(t, want.Captures, told.Captures, path)
		}
	}
}
