package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// What a manifest took is no other order when the watcher shows it: before the
// manifest was taken, after that, or both, as one file or as several.
func TestTakenByAManifest_isNoOrderWhenItIsShown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		named string   // by the manifest
		main  string   // what the watcher shows
		files []string // that count for the watcher; none for a single file
	}{
		"a file":      {"a.tif", "a.tif", nil},
		"a folder":    {"run 7/", "run 7", []string{"a.tif", "b.tif"}},
		"a zarr":      {"x.zarr", "x.zarr", []string{".zattrs", "0/0"}},
		"a main file": {`"*.vsi"`, "a.vsi", []string{"a.vsi", "_a_/b.ets"}},
	} {
		for _, when := range []string{"before", "after", "both", "restart"} {
			t.Run(name+" shown "+when, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				top := filepath.Join("Demo/ada/in", tc.main)
				if filepath.Ext(top) == ".vsi" {
					top = filepath.Dir(top)
				}
				for _, file := range tc.files {
					f.write("content", filepath.Join(top, file))
				}
				main := filepath.Join(f.dir, "Demo/ada/in", tc.main)
				show := func() watcher.Drop { return f.drop(inbox, false, main) }
				if name == "a folder" {
					f.units(watcher.Folder)
				}
				if tc.files == nil {
					f.write("content", top)
				} else if name != "a main file" {
					f.write("does not count", filepath.Join(top, "notes.txt"))
				}
				path := f.write(fmt.Sprintf(manifest, tc.named), "Demo/ada/in/order.yml")
				f.settle(f.drop(inbox, true, path))
				if when != "after" {
					f.settle(show())
					require.Equal(t, tracking.DropHeld, f.record(main).State)
				}
				if when == "restart" {
					f.restart()
					f.settle(f.drop(inbox, true, path))
				}
				id := f.becomes(path, tracking.DropTaken).UUID
				f.settle(show())
				f.restart()
				f.settle(show())
				require.Len(t, f.orders(), 1)
				got := f.record(main)
				require.Equal(t, id, got.UUID)
				require.Equal(t, show().Mark, got.Mark)
				require.NotZero(t, got.Fingerprint)

				// A touch is none either; a change is, as the rule says.
				last := main
				if tc.files != nil {
					last = filepath.Join(f.dir, top, tc.files[1])
				}
				f.touch(last, show())
				f.settle(show())
				require.Len(t, f.orders(), 1)
				require.NoError(t, os.WriteFile(last, []byte("more content"), 0o644))
				f.touch(last, show())
				f.settle(show())
				require.Len(t, f.orders(), 2)
				f.config.Rules[inbox].OnChange = config.Ignore
				require.NoError(t, os.WriteFile(last, []byte("even more content"), 0o644))
				f.settle(show())
				require.Len(t, f.orders(), 2)
			})
		}
	}
}

func TestTakenByAManifest_aUnitInAFolderIsNoOrderWhenItIsShown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		unit  watcher.Unit
		named string // by the manifest
		main  string // what the watcher shows
		files []string
	}{
		"a zarr":   {watcher.Auto, "run 7/", "run 7/deep/x.zarr", []string{".zattrs", "0/0"}},
		"a folder": {watcher.Folder, "../in/", "run 7", []string{"a.tif", "deep/b.tif"}},
	} {
		for _, when := range []string{"before and after", "after"} {
			t.Run(name+" shown "+when, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.units(tc.unit)
				main := filepath.Join(f.dir, "Demo/ada/in", tc.main)
				for _, file := range tc.files {
					f.write("content", filepath.Join("Demo/ada/in", tc.main, file))
				}
				d := f.drop(inbox, false, main)
				require.True(t, d.IsDir)
				path := f.write(fmt.Sprintf(manifest, filepath.Join(f.dir, "Demo/ada/in", tc.named)), "Demo/ada/m/order.yml")
				f.settle(f.drop(manifests, true, path))
				if when != "after" {
					f.settle(d)
					require.Equal(t, tracking.DropHeld, f.record(main).State)
				}
				id := f.becomes(path, tracking.DropTaken).UUID
				f.settle(d)
				require.Len(t, f.orders(), 1)
				got := f.record(main)
				require.Equal(t, tracking.DropFolder, got.Kind)
				require.Equal(t, id, got.UUID)
				require.Equal(t, d.Mark, got.Mark)
				require.Empty(t, f.record(filepath.Join(main, tc.files[0])), "its files are no drops")
			})
		}
	}
}

func TestKnown_isWhatNeedNotBeShownAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	shown := map[string]watcher.Drop{}
	show := func(name, content string) {
		d := f.drop(inbox, false, f.write(content, "Demo/ada/in/"+name))
		shown[name] = d
		f.settle(d)
	}
	known := func() (names []string) {
		t.Helper()
		marks, err := f.Known(t.Context(), []string{f.dir, filepath.Join(f.dir, "Demo/ada/in")})
		require.NoError(t, err)
		require.Empty(t, marks[0])
		for _, m := range marks[1] {
			for name, d := range shown {
				if d.Mark == m {
					names = append(names, name)
				}
			}
		}
		return names
	}
	show("taken.tif", "x")
	show("empty.tif", "")
	require.ElementsMatch(t, []string{"taken.tif", "empty.tif"}, known())

	path := f.write(fmt.Sprintf(manifest, `"held*.tif", "missing.tif"`), "Demo/ada/in/order.yml")
	shown["order.yml"] = f.drop(inbox, true, path)
	f.settle(shown["order.yml"])
	show("held.tif", "y")
	require.Equal(t, tracking.DropHeld, f.record(shown["held.tif"].Path).State)
	require.ElementsMatch(t, []string{"taken.tif", "empty.tif"}, known())

	f.write("z", "Demo/ada/in/missing.tif")
	f.becomes(path, tracking.DropTaken)
	require.ElementsMatch(t, []string{"taken.tif", "empty.tif", "held.tif"}, known(), "neither the manifest nor what was never shown")
	show("missing.tif", "z")
	require.ElementsMatch(t, []string{"taken.tif", "empty.tif", "held.tif", "missing.tif"}, known())

	// A changed file is known as it is now.
	show("taken.tif", "xx")
	require.ElementsMatch(t, []string{"taken.tif", "empty.tif", "held.tif", "missing.tif"}, known())
	require.Len(t, f.orders(), 3)
}

// A manifest in a folder that another one names keeps its own record.
func TestTakenByAManifest_aManifestInItsFolderStaysAsItWas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[manifests].AllowAnyUser = true
	f.restart()
	a := f.write("x", "Demo/ada/m/plate/a.tif")
	for _, name := range []string{"a.tif.order.yml.receipt.json", "Thumbs.db"} {
		f.write("x", "Demo/ada/m/plate/"+name)
	}
	inner := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/plate/order.yml")
	f.settle(f.drop(manifests, true, inner))
	f.becomes(inner, tracking.DropTaken)
	old := f.write(fmt.Sprintf(legacyOrder, a), "Demo/.2BUploaded/2024_01_31_10-20-30.txt")
	f.settle(f.drop(legacy, true, old))
	f.becomes(old, tracking.DropTaken)
	before := []tracking.Drop{f.record(inner), f.record(old)}

	outer := f.write(fmt.Sprintf(manifest, f.dir+"/Demo/"), "Demo/ada/m/outer.order.yml")
	f.settle(f.drop(manifests, true, outer))
	id := f.becomes(outer, tracking.DropTaken).UUID
	require.Equal(t, id, f.record(a).UUID)
	require.Equal(t, before[0], f.record(inner))
	require.Equal(t, before[1], f.record(old))
	for _, name := range []string{"a.tif.order.yml.receipt.json", "Thumbs.db"} {
		require.Empty(t, f.record(filepath.Join(filepath.Dir(a), name)), name)
	}
	f.restart()
	f.settle(f.drop(manifests, true, inner), f.drop(legacy, true, old), f.drop(manifests, true, outer))
	time.Sleep(1500 * time.Millisecond) // for those that were not known again, to be taken
	require.Len(t, f.orders(), 3)
}
