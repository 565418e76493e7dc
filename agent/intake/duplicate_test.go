package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

func TestDuplicates_pointToTheEarliest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	drop := func(content, name string) watcher.Drop {
		return f.drop(inbox, false, f.write(content, "Demo/ada/in/"+name))
	}
	a, b, other := drop("pixels", "a.tif"), drop("pixels", "b.tif"), drop("Pixels", "other.tif")
	f.settle(a, b, other)
	f.settle(drop("pixels", "c.tif"))
	f.restart()
	require.NoError(t, os.Link(a.Path, filepath.Join(a.Dir, "link.tif")))
	f.settle(f.drop(inbox, false, filepath.Join(a.Dir, "link.tif")))
	f.settle(drop("", "empty 1.tif"), drop("", "empty 2.tif"))
	for name, want := range map[string]string{
		"a.tif": "", "b.tif": a.Path, "c.tif": a.Path, "link.tif": a.Path, "other.tif": "", "empty 1.tif": "", "empty 2.tif": "",
	} {
		require.Equal(t, want, f.record(filepath.Join(a.Dir, name)).DuplicateOf, name)
	}
	require.Equal(t, []string{"105: a.tif b.tif other.tif", "105: c.tif", "105: link.tif"}, f.orders(), "it is only a mark")

	// What changes is a duplicate, or one no more, by what it is now.
	f.settle(drop("Pixels", "b.tif"))
	require.Equal(t, other.Path, f.record(b.Path).DuplicateOf)
	f.settle(drop("unique", "b.tif"))
	require.Empty(t, f.record(b.Path).DuplicateOf)
	// A touch keeps the mark.
	c := filepath.Join(a.Dir, "c.tif")
	f.touch(c, a)
	f.settle(f.drop(inbox, false, c))
	require.Equal(t, a.Path, f.record(c).DuplicateOf)
}

func TestDuplicates_areOnlyOfWhatWasImported(t *testing.T) {
	t.Parallel()
	for _, onChange := range []config.OnChange{config.Ignore, config.Flag} {
		t.Run(string(onChange), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.config.Rules[inbox].OnChange = onChange
			a := f.write("pixels", "Demo/ada/in/a.tif")
			then := f.drop(inbox, false, a)
			f.settle(then)
			f.write("PIXELS", "Demo/ada/in/a.tif")
			f.touch(a, then)
			f.settle(f.drop(inbox, false, a))
			now, before := f.write("PIXELS", "Demo/ada/in/now.tif"), f.write("pixels", "Demo/ada/in/before.tif")
			f.settle(f.drop(inbox, false, now), f.drop(inbox, false, before))
			require.Empty(t, f.record(now).DuplicateOf)
			require.Equal(t, a, f.record(before).DuplicateOf)
		})
	}
}

func TestDuplicates_ofWhatAManifestTakes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.write("pixels", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	b := f.write("pixels", "Demo/ada/m/b.tif")
	path := f.write(fmt.Sprintf(manifest, "b.tif"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	require.Equal(t, a, f.record(b).DuplicateOf)
}

func TestDuplicates_ofUnits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.units(watcher.Folder)
	var units []watcher.Drop
	for _, name := range []string{"1", "2", "3"} {
		content := "pixels"
		if name == "3" {
			content = "Pixels"
		}
		f.write(content, "Demo/ada/in/run "+name+"/a.tif")
		units = append(units, f.drop(inbox, false, filepath.Join(f.dir, "Demo/ada/in/run "+name)))
	}
	f.settle(units...)
	require.Equal(t, units[0].Path, f.record(units[1].Path).DuplicateOf)
	require.Empty(t, f.record(units[2].Path).DuplicateOf)
}
