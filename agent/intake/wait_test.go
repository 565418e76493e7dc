package intake_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// Each run's folder has its manifest, and they all come at once.
func TestManifest_thatFindsNoRoomIsTakenOnceThereIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tune = func(in *intake.Intake) { in.SetRoom(1) }
	f.restart()
	var drops []watcher.Drop
	var paths, want []string
	for i := range 8 {
		run := fmt.Sprintf("Demo/ada/in/run%d", i)
		path := f.write(fmt.Sprintf(manifest, `"*.tif"`)+"wait_for: present\n", run+"/order.yml")
		file := f.write("x", fmt.Sprintf("%s/%d.tif", run, i))
		drops = append(drops, f.drop(inbox, true, path), f.drop(inbox, false, file))
		paths, want = append(paths, path), append(want, fmt.Sprintf("151: %d.tif", i))
	}
	f.stop()
	f.settle(drops...)
	require.Empty(t, f.record(paths[0]).Reason)
	for i, path := range paths {
		got := f.record(path)
		require.Equal(t, tracking.DropWaiting, got.State)
		require.Equal(t, i > 0, strings.Contains(got.Reason, "It is taken up once others that wait below "+f.dir+"/Demo/ada are done"), got.Reason)
		require.Equal(t, tracking.DropHeld, f.record(drops[2*i+1].Path).State)
	}
	f.run()
	for _, path := range paths {
		require.Empty(t, f.becomes(path, tracking.DropTaken).Reason)
	}
	require.Equal(t, want, f.orders(), "the oldest first")
	f.eventually(func() bool { return f.Kept() == 0 })
}

func TestManifest_thatNamesTooManyPatternsForAnyRoomIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, manyGlobs(101)), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, "it has 101 patterns, more than 100")
}

func manyGlobs(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"%d*"`, i)
	}
	return strings.Join(list, ", ")
}

// A folder that is away for a moment, between two scans of a share, is shown by
// nobody when it is back.
func TestAway_aManifestAndItsFilesAreFoundAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/in/run/order.yml")
	a := f.write("x", "Demo/ada/in/run/a.tif")
	other := f.write("x", "Demo/ada/in/run/other.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	dir := filepath.Dir(path)
	require.NoError(t, os.Rename(dir, dir+"~"))
	f.becomes(path, tracking.DropGone)
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	require.NoError(t, os.Rename(dir+"~", dir))
	f.becomes(path, tracking.DropWaiting)
	f.settle(f.drop(inbox, false, other))
	f.write("x", "Demo/ada/in/run/b.tif")
	f.becomes(path, tracking.DropTaken)
	require.Equal(t, []string{"105: other.tif", "151: a.tif b.tif"}, f.orders())
}

func TestAway_aHeldFileIsFoundAgainWithoutItsManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/in/run/order.yml")
	a := f.write("x", "Demo/ada/in/run/a.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
	dir := filepath.Dir(path)
	require.NoError(t, os.Rename(dir, dir+"~"))
	f.becomes(path, tracking.DropGone)
	require.NoError(t, os.Remove(dir+"~/order.yml"))
	require.NoError(t, os.Rename(dir+"~", dir))
	f.becomes(a, tracking.DropTaken)
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

func TestAway_aManifestThatIsGoneWhenItIsReadIsFoundAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "Demo/ada/m/a.tif")
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
	d := f.drop(manifests, true, path)
	require.NoError(t, os.Rename(path, path+"~"))
	f.settle(d)
	require.Empty(t, f.record(path))
	require.NoError(t, os.Rename(path+"~", path))
	f.becomes(path, tracking.DropTaken)
	f.eventually(func() bool { return f.Kept() == 0 })
}

func TestAway_isNotForEver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.FullScan = time.Second
	f.restart()
	path := f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/in/run/order.yml")
	a := f.write("x", "Demo/ada/in/run/a.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
	require.NoError(t, os.RemoveAll(filepath.Dir(path)))
	f.becomes(path, tracking.DropGone)
	require.Equal(t, 1, f.Kept())
	f.eventually(func() bool { return f.Kept() == 0 })
	// What the watcher shows then is new.
	f.settle(f.drop(inbox, false, f.write("x", "Demo/ada/in/run/a.tif")))
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

// An attempt at the same order would pass over a file that it imported before.
func TestManifest_savedAgainForAFileThatChangedIsAnotherOrder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		happens func(f *fixture, a string, then watcher.Drop)
		same    bool
	}{
		"nothing":      {func(*fixture, string, watcher.Drop) {}, true},
		"a touch":      {func(f *fixture, a string, then watcher.Drop) { f.touch(a, then) }, true},
		"other pixels": {func(f *fixture, _ string, _ watcher.Drop) { f.write("PIXELS!", "Demo/ada/in/a.tif") }, false},
		"other pixels, shown meanwhile": {func(f *fixture, a string, _ watcher.Drop) {
			f.write("PIXELS!", "Demo/ada/in/a.tif")
			f.write(fmt.Sprintf(manifest, "a.tif, late.tif"), "Demo/ada/in/order.yml")
			f.settle(f.drop(inbox, true, filepath.Join(filepath.Dir(a), "order.yml")))
			f.settle(f.drop(inbox, false, a))
			require.Equal(f.t, tracking.DropHeld, f.record(a).State)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			a := f.write("pixels", "Demo/ada/in/a.tif")
			f.write("pixels", "Demo/ada/in/b.tif")
			then := f.drop(inbox, false, a)
			path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/in/order.yml")
			f.settle(f.drop(inbox, true, path))
			first := f.becomes(path, tracking.DropTaken).UUID
			tc.happens(f, a, then)
			f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/in/order.yml")
			f.settle(f.drop(inbox, true, path))
			f.eventually(func() bool { return len(f.orders()) == 2 })
			got := f.record(path)
			require.Equal(t, tc.same, got.UUID == first)
			require.Equal(t, got.UUID, f.record(a).UUID)
		})
	}
}

func TestManifest_onASlowShareIsRefusedNoSoonerThanOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tune = func(in *intake.Intake) { in.SetBudget(time.Nanosecond) }
	f.restart()
	f.write("x", "Demo/ada/m/a.tif")
	path := f.write(fmt.Sprintf(manifest, `"*.tif"`), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	time.Sleep(500 * time.Millisecond)
	require.Equal(t, tracking.DropWaiting, f.record(path).State)
	f.config.ManifestTimeout = time.Millisecond
	f.restart()
	f.settle(f.drop(manifests, true, path))
	require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, `*.tif" could not be looked through in 1ns`)
}

// The wait may have ended while nobody looked.
func TestManifest_whoseWaitEndedBeforeARestartIsLookedAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.stop()
	f.write("x", "Demo/ada/m/a.tif")
	f.set(`first_seen = now() - interval '1 day'`)
	f.restart()
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { return f.record(path).State != tracking.DropWaiting })
	require.Equal(t, tracking.DropTaken, f.record(path).State)
}

func TestManifest_thatCannotBeReadWaitsAsForItsFiles(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"for a moment": time.Hour, "for too long": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.config.ManifestTimeout = timeout
			f.restart()
			f.write("x", "Demo/ada/m/run/a.tif")
			path := f.write(fmt.Sprintf(manifest, "a.tif")+"wait_for: present\n", "Demo/ada/m/run/order.yml")
			d := f.drop(manifests, true, path)
			dir := filepath.Dir(path)
			require.NoError(t, os.Rename(dir, dir+"~"))
			require.NoError(t, os.WriteFile(dir, nil, 0o600)) // so that it is not merely gone
			f.settle(d)
			refused := tracking.Drop{}
			if timeout < time.Second {
				refused = f.becomes(path, tracking.DropRefused)
				require.Contains(t, refused.Reason, "it cannot be read")
				time.Sleep(2500 * time.Millisecond) // for another look
				require.Equal(t, refused.Version, f.record(path).Version, "it is refused once")
			}
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Rename(dir+"~", dir))
			f.becomes(path, tracking.DropTaken)
			require.Equal(t, refused.Version+2, f.record(path).Version)
		})
	}
}

// What the watcher shows as one drop is not walked once more.
func TestManifest_measuresAUnitAsTheWatcherDoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	zarr := filepath.Join(f.dir, "Demo/ada/m/x.zarr")
	require.NoError(t, os.MkdirAll(zarr, 0o755)) // a walk finds nothing
	f.config.Measure = func(ctx context.Context, path string) (watcher.Drop, bool, error) {
		if path == zarr {
			return watcher.Drop{Path: path, IsDir: true, Size: 42, ModTime: time.Unix(1, 0), Mark: 7}, true, nil
		}
		return f.watch.Measure(ctx, path)
	}
	f.restart()
	path := f.write(fmt.Sprintf(manifest, "x.zarr"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	require.EqualValues(t, 42, f.record(zarr).Size)
	require.EqualValues(t, 7, f.record(zarr).Mark)
}

func TestManifest_whoseFoldersHoldTooManyFilesTogetherIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const files, links = 2000, 51
	for i := range files {
		f.write("x", fmt.Sprintf("Demo/ada/m/run/%d.tif", i))
	}
	var names []string
	for i := range links {
		names = append(names, fmt.Sprintf("link%d", i))
		require.NoError(t, os.Symlink("run", filepath.Join(f.dir, "Demo/ada/m", names[i])))
	}
	require.Greater(t, files*links, importer.MaxImages)
	path := f.write(fmt.Sprintf(manifest, strings.Join(names, ", "))+"wait_for: present\n", "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	require.Contains(t, f.becomes(path, tracking.DropRefused).Reason,
		"order.yml: the folders that it names hold more than 100000 files together: name fewer of them at a time.")
}

// It was being written while the watcher looked.
func TestManifest_thatChangedSinceItWasShownIsLeftForLater(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(f *fixture, path string, then watcher.Drop){
		"another size": func(f *fixture, _ string, _ watcher.Drop) { f.write("group: De", "Demo/ada/m/order.yml") },
		"another time": func(f *fixture, path string, then watcher.Drop) { f.touch(path, then) },
		"another inode": func(f *fixture, path string, then watcher.Drop) {
			f.replace(path, fmt.Sprintf(manifest, "b.tif"), then)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.write("x", "Demo/ada/m/a.tif")
			path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
			then := f.drop(manifests, true, path)
			happens(f, path, then)
			f.settle(then)
			require.Empty(t, f.record(path))
			require.Zero(t, f.Kept())
			f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
			f.settle(f.drop(manifests, true, path))
			f.becomes(path, tracking.DropTaken)
		})
	}
}

// A crash may come between the end of a manifest and the return of what it held.
func TestHeldFile_doesNotWaitForAManifestThatIsOver(t *testing.T) {
	t.Parallel()
	for state, held := range map[tracking.DropState]bool{
		tracking.DropTaken: false, tracking.DropGone: false, tracking.DropWaiting: true, tracking.DropRefused: true,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			path := f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/in/order.yml")
			a := f.write("x", "Demo/ada/in/a.tif")
			f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
			f.stop()
			f.set(`state = '` + string(state) + `' WHERE kind = 'manifest'`)
			f.restart()
			f.settle(f.drop(inbox, false, a))
			require.Equal(t, held, f.record(a).State == tracking.DropHeld)
			require.Equal(t, held, len(f.orders()) == 0)
		})
	}
}

// troubled fails for one group while it is to.
type troubled struct {
	containers
	group string
	fails atomic.Bool
}

func (c *troubled) Container(ctx context.Context, asked importer.Container) (int64, error) {
	if asked.Group == c.group && c.fails.Load() {
		return 0, errors.New("the server is away")
	}
	return c.containers.Container(ctx, asked)
}

func TestData_ofAGroupInTroubleKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	trouble := &troubled{group: "Eye"}
	f.containers = trouble
	f.restart()
	trouble.fails.Store(true)
	path := f.write("a: b: c", "Eye/eve/in/sub/order.yml")
	held := f.write("x", "Eye/eve/in/sub/held.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, held))
	f.becomes(path, tracking.DropRefused)
	eyes, demos := f.write("x", "Eye/eve/in/a.tif"), f.write("x", "Demo/ada/in/b.tif")
	drops := []watcher.Drop{f.drop(inbox, false, eyes), f.drop(inbox, false, demos)}
	require.ErrorContains(t, f.Settled(t.Context(), drops), "the server is away")
	require.Equal(t, []string{"105: b.tif"}, f.orders())
	require.Empty(t, f.record(eyes))
	require.NoError(t, os.Remove(path))
	f.becomes(path, tracking.DropGone)
	require.Equal(t, tracking.DropHeld, f.record(held).State)
	trouble.fails.Store(false)
	f.settle(drops...)
	f.becomes(held, tracking.DropTaken)
	require.ElementsMatch(t, []string{"105: b.tif", "105: a.tif", "105: held.tif"}, f.orders())
}
