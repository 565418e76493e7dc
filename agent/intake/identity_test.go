package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// touch gives a file a time, a minute after that of then.
func (f *fixture) touch(path string, then watcher.Drop) {
	f.t.Helper()
	later := then.ModTime.Add(time.Minute)
	require.NoError(f.t, os.Chtimes(path, later, later))
}

// replace puts another file of the same name and time in a file's place.
func (f *fixture) replace(path, content string, then watcher.Drop) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(path+"~", []byte(content), 0o644))
	require.NoError(f.t, os.Chtimes(path+"~", then.ModTime, then.ModTime))
	require.NoError(f.t, os.Rename(path+"~", path))
}

// set changes all records.
func (f *fixture) set(columns string) {
	f.t.Helper()
	_, err := f.store.Pool().Exec(f.t.Context(), `UPDATE importer.drops SET `+columns)
	require.NoError(f.t, err)
}

// again is what happens to a file that was taken, and how many orders there
// are when it is shown once more.
var again = map[string]struct {
	happens func(f *fixture, path string, then watcher.Drop) watcher.Drop
	orders  int
}{
	"a scan": {func(_ *fixture, _ string, then watcher.Drop) watcher.Drop { return then }, 1},
	"a restart": {func(f *fixture, _ string, then watcher.Drop) watcher.Drop {
		f.restart()
		return then
	}, 1},
	"a remount with other inodes": {func(f *fixture, _ string, then watcher.Drop) watcher.Drop {
		f.restart()
		f.set(`inode = inode + 1`)
		return then
	}, 1},
	"a touch of one without a fingerprint": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.set(`fingerprint = NULL`)
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 1},
	"a remount and then a change of one without a fingerprint": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.set(`fingerprint = NULL, mark = NULL, inode = inode + 1`)
		f.settle(then)
		require.NotZero(f.t, f.record(path).Fingerprint)
		f.replace(path, "CONTENT", then)
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 2},
	"another time and inode of one without a fingerprint": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.set(`fingerprint = NULL, inode = inode + 1`)
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 2},
	"a touch": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 1},
	"a touch of another inode": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.replace(path, "content", then)
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 1},
	"the same content in another inode": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.replace(path, "content", then)
		return f.drop(inbox, false, path)
	}, 1},
	"other content in another inode": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.replace(path, "CONTENT", then)
		return f.drop(inbox, false, path)
	}, 2},
	"another size": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		f.replace(path, "more content", then)
		return f.drop(inbox, false, path)
	}, 2},
	"other content of the same size": {func(f *fixture, path string, then watcher.Drop) watcher.Drop {
		require.NoError(f.t, os.WriteFile(path, []byte("CONTENT"), 0o644))
		f.touch(path, then)
		return f.drop(inbox, false, path)
	}, 2},
}

func TestIdentity_ofAFileShownAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range again {
		for _, onChange := range []config.OnChange{"", config.Reimport, config.Ignore, config.Flag} {
			t.Run(fmt.Sprintf("%s, %s", name, onChange), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.config.Rules[inbox].OnChange = onChange
				path := f.write("content", "Demo/ada/in/a.tif")
				then := f.drop(inbox, false, path)
				f.settle(then)
				first := f.record(path)
				require.NotZero(t, first.Fingerprint)
				now := tc.happens(f, path, then)
				for range 2 {
					f.settle(now)
				}
				want := tc.orders
				if onChange == config.Ignore || onChange == config.Flag {
					want = 1
				}
				require.Len(t, f.orders(), want)
				got := f.record(path)
				require.Equal(t, tracking.DropTaken, got.State)
				require.Equal(t, want == 1, got.UUID == first.UUID)
				require.Equal(t, now.Size, got.Size)
				require.Equal(t, now.ModTime.UnixNano(), got.ModTime)
				require.Equal(t, now.Mark, got.Mark)
				require.Equal(t, now.Inode, got.Inode)
				require.Equal(t, onChange == config.Flag && tc.orders > 1, got.Changed)
				require.Equal(t, got.Changed, strings.Contains(got.Reason, "It changed after it became part of the order "+first.UUID))
			})
		}
	}
}

// A fault of the storage that passes is neither a change nor the end of one.
func TestIdentity_ofAFileThatCannotBeReadForNow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		happens func(f *fixture, path string, then watcher.Drop)
		orders  int
	}{
		"a touch":                         {func(f *fixture, path string, then watcher.Drop) { f.touch(path, then) }, 2},
		"the same content, another inode": {func(f *fixture, path string, then watcher.Drop) { f.replace(path, "content", then) }, 2},
		"other content, another time": {func(f *fixture, path string, then watcher.Drop) {
			f.write("CONTENT", "Demo/ada/in/a.tif")
			f.touch(path, then)
		}, 3},
		"other content, another inode": {func(f *fixture, path string, then watcher.Drop) { f.replace(path, "CONTENT", then) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			path := f.write("content", "Demo/ada/in/a.tif")
			then := f.drop(inbox, false, path)
			f.settle(then)
			first := f.record(path)
			tc.happens(f, path, then)
			now := f.drop(inbox, false, path)
			dir := filepath.Dir(path)
			require.NoError(t, os.Rename(dir, dir+"~"))
			require.NoError(t, os.WriteFile(dir, nil, 0o600)) // so that it is not merely gone
			other := f.drop(inbox, false, f.write("x", "Demo/bob/in/b.tif"))
			f.settle(now, other)
			require.Equal(t, []string{"105: a.tif", "105: b.tif"}, f.orders(), "it keeps no other waiting")
			require.Equal(t, first, f.record(path))
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Rename(dir+"~", dir))
			f.eventually(func() bool {
				got := f.record(path)
				return got.Mark == now.Mark && got.ModTime == now.ModTime.UnixNano() && got.Inode == now.Inode
			})
			require.Len(t, f.orders(), tc.orders)
		})
	}
}

// One that is gone may be back before the watcher notices.
func TestIdentity_ofAFileThatIsGoneWhenItIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write("content", "Demo/ada/in/a.tif")
	then := f.drop(inbox, false, path)
	f.settle(then)
	f.replace(path, "CONTENT", then)
	now := f.drop(inbox, false, path)
	require.NoError(t, os.Rename(path, path+"~"))
	f.settle(now)
	require.Len(t, f.orders(), 1)
	require.Equal(t, then.Mark, f.record(path).Mark)
	require.NoError(t, os.Rename(path+"~", path))
	f.eventually(func() bool { return len(f.orders()) == 2 })
}

func TestIdentity_ofAUnit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path  string
		files []string
	}{
		"folder":                     {"Demo/ada/in/run 7", []string{"a.tif", "deep/b.tif"}},
		"zarr":                       {"Demo/ada/in/x.ome.zarr", []string{".zattrs", "0/0"}},
		"a main file and its folder": {"Demo/ada/in/a.vsi", []string{"a.vsi", "_a_/b.ets"}},
	} {
		for _, onChange := range []config.OnChange{config.Reimport, config.Ignore, config.Flag} {
			t.Run(name+", "+string(onChange), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.config.Rules[inbox].OnChange = onChange
				if name == "folder" {
					f.units(watcher.Folder)
				}
				path := filepath.Join(f.dir, tc.path)
				top := tc.path
				if filepath.Ext(top) == ".vsi" {
					top = filepath.Dir(top)
				}
				for _, file := range tc.files {
					f.write("content", filepath.Join(top, file))
				}
				then := f.drop(inbox, false, path)
				f.settle(then)
				require.NotZero(t, f.record(path).Fingerprint)
				last := filepath.Join(f.dir, top, tc.files[1])
				f.touch(last, then)
				touched := f.drop(inbox, false, path)
				touched.Inode++
				f.settle(touched)
				f.restart()
				f.settle(touched)
				require.Len(t, f.orders(), 1)
				require.Equal(t, touched.Mark, f.record(path).Mark)

				require.NoError(t, os.WriteFile(last, []byte("CONTENT"), 0o644))
				f.touch(last, touched)
				f.settle(f.drop(inbox, false, path))
				require.Len(t, f.orders(), map[config.OnChange]int{config.Reimport: 2, config.Ignore: 1, config.Flag: 1}[onChange])
				require.Equal(t, onChange == config.Flag, f.record(path).Changed)
				require.Equal(t, tracking.DropTaken, f.record(path).State)
			})
		}
	}
}

func TestOnChange_aFileThatIsEmptiedStaysTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[inbox].OnChange = config.Ignore
	path := f.write("content", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, path))
	for _, content := range []string{"", "more"} {
		f.write(content, "Demo/ada/in/a.tif")
		f.settle(f.drop(inbox, false, path))
		require.Equal(t, tracking.DropTaken, f.record(path).State)
	}
	require.Len(t, f.orders(), 1)
}

func TestOnChange_aRefusedFileIsJudgedAnew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[inbox].OnChange = config.Ignore
	path := f.write("", "Demo/ada/in/a.tif")
	empty := f.drop(inbox, false, path)
	f.settle(empty)
	f.settle(empty)
	require.Equal(t, 1, f.record(path).Version)
	f.write("content", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, path))
	require.Len(t, f.orders(), 1)
}

// A manifest that claims a changed file and is then taken away leaves it as if
// it had never claimed it.
func TestOnChange_outlastsAManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[inbox].OnChange = config.Flag
	a := f.write("content", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	first := f.record(a).UUID
	path := f.write(fmt.Sprintf(manifest, `"`+a+`", missing.tif`), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.write("more content", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	require.NoError(t, os.Remove(path))
	got := f.becomes(a, tracking.DropTaken)
	require.True(t, got.Changed)
	require.Equal(t, first, got.UUID)
	require.Len(t, f.orders(), 1)
}

// The loser of a race between two agents is told so, and is shown the drops
// again by its watcher.
func TestAgents_twoShownTheSameFilesOrderOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := newFixture(t)
	other.store, other.share, other.dir, other.config = f.store, f.share, f.dir, f.config
	other.restart()
	for round := range 10 {
		var drops []watcher.Drop
		for i := range 20 {
			drops = append(drops, f.drop(inbox, false, f.write("content", fmt.Sprintf("Demo/ada/in/%d/%d.tif", round, i))))
		}
		var agents sync.WaitGroup
		for _, agent := range []*fixture{f, other} {
			agents.Go(func() {
				for tries := 0; agent.Settled(t.Context(), drops) != nil && tries < 100; {
					tries++
				}
			})
		}
		agents.Wait()
		require.Len(t, f.orders(), round+1)
	}
}
