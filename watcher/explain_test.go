package watcher

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tree writes files below dir, each with its name in it.
func tree(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		write(t, dir+"/"+name, name)
	}
}

func TestExplain_saysWhatEachPathIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "d/ann/in/a.tif", "d/ann/in/b.tmp", "d/ann/in/c_preview.tif", "d/ann/in/notes.txt", "d/ann/in/order.yml",
		"d/ann/in/e.zarr/0/0", "d/ann/in/f.vsi", "d/ann/in/_f_/stack1/frame_t.ets", "d/ann/in/g.tif.done", "d/ann/in/sub/h.tif",
		"d/ann/in/.processed/i.tif", "d/ann/in/lost/Slidedat.ini", "d/ann/in/lost/Data0.dat", "d/ann/out/j.tif", "d/ann/orders/k.tif", "d/ann/orders/x.zarr/0",
		"d/ann/runs/r1/l.tif", "d/ann/runs/loose.tif", "d/ann/in/uploads/x/m.tif", "elsewhere/n.tif", "d/ann/slow/o.tif")
	write(t, dir+"/d/ann/in/p.companion.ome", `<OME><UUID FileName="q.ome.tif"/></OME>`)
	require.NoError(t, os.Symlink("a.tif", dir+"/d/ann/in/link.tif"))
	require.NoError(t, unix.Mkfifo(dir+"/d/ann/in/pipe.tif", 0o600))
	w, err := New(Options{Rules: []Rule{
		{
			Path: dir + "/d/{user}/in", Settle: time.Nanosecond, Include: []string{"*.tif", "*.zarr", "*.vsi", "*.dat", "*.ome"}, Exclude: []string{"*_preview.tif"},
			Control: []string{"order.yml"}, DoneMarker: "{name}.done",
		},
		{Path: dir + "/d/{user}/orders", ControlOnly: true, Control: []string{"order.yml"}},
		{Path: dir + "/d/{user}/runs", Unit: Folder, Settle: time.Nanosecond},
		{Path: dir + "/d/{user}/slow", Settle: time.Hour},
	}}, newInbox())
	require.NoError(t, err)
	for path, want := range map[string]struct {
		standing Standing
		rule     int
		why      string
	}{
		"d/ann/in/a.tif":                  {IsSettled, 0, ""},
		"d/ann/in/order.yml":              {IsSettled, 0, ""},
		"d/ann/in/b.tmp":                  {IsIgnored, 0, "*.tmp"},
		"d/ann/in/.processed":             {IsIgnored, 0, ".processed"},
		"d/ann/in/.processed/i.tif":       {IsIgnored, 0, ".processed (its folder "},
		"d/ann/in/uploads/x/m.tif":        {IsIgnored, 0, "*/uploads/*"},
		"d/ann/in/c_preview.tif":          {IsPassed, 0, "the rule excludes *_preview.tif"},
		"d/ann/in/notes.txt":              {IsPassed, 0, "the rule includes no name like it"},
		"d/ann/in/link.tif":               {IsPassed, 0, "links are not followed"},
		"d/ann/in/pipe.tif":               {IsPassed, 0, "no regular file"},
		"d/ann/in/g.tif.done":             {IsPassed, 0, `says that "g.tif" is complete`},
		"d/ann/in/lost/Data0.dat":         {IsPassed, 0, "main file is not there"},
		"d/ann/in/e.zarr":                 {IsSettled, 0, ""},
		"d/ann/in/e.zarr/0":               {IsPart, 0, ""},
		"d/ann/in/e.zarr/0/0":             {IsPart, 0, ""},
		"d/ann/in/f.vsi":                  {IsSettled, 0, ""},
		"d/ann/in/_f_":                    {IsPart, 0, ""},
		"d/ann/in/_f_/stack1/frame_t.ets": {IsPart, 0, ""},
		"d/ann/in/p.companion.ome":        {IsSettling, 0, `it waits for "q.ome.tif"`},
		"d/ann/in/sub":                    {IsFolder, 0, "drops of their own"},
		"d/ann/in/sub/h.tif":              {IsSettled, 0, ""},
		"d/ann/in/gone.tif":               {IsMissing, -1, ""},
		"d/ann":                           {IsFolder, -1, "watched folders may lie below it"},
		"d":                               {IsFolder, -1, "watched folders may lie below it"},
		".":                               {IsFolder, -1, "watched folders lie below it"},
		"d/ann/out/j.tif":                 {IsUnwatched, -1, "none leads there"},
		"d/ann/orders/k.tif":              {IsPassed, 1, "only order files count here"},
		"d/ann/orders/x.zarr":             {IsPassed, 1, "only order files count here"},
		"d/ann/orders":                    {IsFolder, 1, "only order files count in it"},
		"d/ann/runs/r1":                   {IsSettled, 2, ""},
		"d/ann/runs/r1/l.tif":             {IsPart, 2, ""},
		"d/ann/runs/loose.tif":            {IsPassed, 2, "it lies beside them"},
		"elsewhere/n.tif":                 {IsUnwatched, -1, "it lies in no rule's folder"},
		"d/ann/slow/o.tif":                {IsSettling, 3, ""},
	} {
		s, err := w.Explain(t.Context(), dir+"/"+path)
		require.NoError(t, err, path)
		require.Equal(t, want.standing, s.Standing, "%s: %s", path, s.Why)
		require.Equal(t, want.rule, s.Rule, path)
		if want.why == "" {
			require.Empty(t, s.Why, path)
		} else {
			require.Contains(t, s.Why, want.why, path)
		}
	}
	s, err := w.Explain(t.Context(), dir+"/d/ann/slow/o.tif")
	require.NoError(t, err)
	require.InDelta(t, time.Hour, s.Left, float64(time.Minute))
	require.Equal(t, map[string]string{"user": "ann"}, s.Captures)
	s, err = w.Explain(t.Context(), dir+"/d/ann/in/_f_/stack1/frame_t.ets")
	require.NoError(t, err)
	require.Equal(t, dir+"/d/ann/in/f.vsi", s.Unit)
	require.Equal(t, "vsi", s.Kind)
}

// A survey shows as drops what a watcher hands over, and in the same words.
func TestSurvey_showsWhatIsHandedOver(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{Auto, File, Folder} {
		dir := t.TempDir()
		tree(t, dir, "ann/a.tif", "ann/sub/b.tif", "ann/c.ome.zarr/0/0", "ann/c.ome.zarr/.zattrs", "ann/c.ome.zarr/x.tmp", "ann/d.vsi",
			"ann/_d_/stack1/frame_t.ets", "ann/run/x.log", "ann/.processed/p.tif", "ann/run/order.yml", "ann/s.mrxs", "ann/s/Slidedat.ini")
		opts := Options{Rules: []Rule{{Path: dir + "/{user}", Settle: settle, Unit: unit, Exclude: []string{"*.log"}, Control: []string{"order.yml"}}}}
		box := newInbox()
		w, err := New(opts, box)
		require.NoError(t, err)
		start(t, box, opts)
		shown := map[string]Drop{}
		require.NoError(t, w.Survey(t.Context(), func(s Sight) bool {
			if s.Path == dir+"/ann/run" {
				require.Equal(t, "nothing that counts is in it", s.Why)
			} else if s.Standing == IsSettled || s.Standing == IsSettling || s.Standing == IsUnmeasured {
				shown[s.Path] = s.Drop
			}
			if s.Standing == IsUnmeasured {
				require.True(t, strings.HasSuffix(s.Path, ".zarr"))
				full, err := w.Explain(t.Context(), s.Path)
				require.NoError(t, err)
				require.Equal(t, s.Drop.Mark, full.Drop.Mark, "by which it is known that it was taken")
				shown[s.Path] = full.Drop
			}
			return true
		}))
		for path := range shown {
			box.waitFor(t, path)
		}
		for _, d := range box.all() {
			require.Equal(t, shown[d.Path], d, d.Path)
		}
		require.Len(t, box.all(), len(shown))
	}
}

func TestSurvey_endsWhenEnoughIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "ann/a.tif", "ann/b.tif", "bob/c.tif")
	w, err := New(rules(dir+"/{user}"), newInbox())
	require.NoError(t, err)
	var seen []string
	require.NoError(t, w.Survey(t.Context(), func(s Sight) bool { seen = append(seen, s.Path); return len(seen) < 2 }))
	require.Equal(t, []string{dir + "/ann/a.tif", dir + "/ann/b.tif"}, seen)
}

func TestReaches_saysOfEachRuleWhyNot(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Rules: []Rule{
		{Path: "/data/{group}/{user}/inbox/{dataset}"},
		{Path: "/data/core-{core}/x"},
		{Path: "/srv"},
		{Path: "/data/{group}/{user}"},
		{Path: "/data/Demo/{user}"},
	}}, newInbox())
	require.NoError(t, err)
	why := func(path string) (list []string) {
		for _, r := range w.Reaches(path, false) {
			require.Equal(t, r.Why == "", r.Matches)
			list = append(list, r.Why)
		}
		return list
	}
	require.Equal(t, []string{
		"", `its path has "core-{core}" where this has "Demo"`, `its path has "srv" where this has "data"`,
		"rule 1, which is closer to it, goes first", "rule 1, which is closer to it, goes first",
	}, why("/data/Demo/ada/inbox/Retina/a.tif"))
	require.Equal(t, []string{
		"its folders lie deeper, at inbox/{dataset} below", `its path has "core-{core}" where this has "Demo"`,
		`its path has "srv" where this has "data"`, "rule 5, which is closer to it, goes first", "",
	}, why("/data/Demo/ada/a.tif"))
	require.Equal(t, `"/data/Demo/.processed" is ignored by .processed`, why("/data/Demo/.processed/inbox/Retina/a.tif")[0])
	require.True(t, slices.ContainsFunc(w.Reaches("/srv", true), func(r Reach) bool { return r.Matches && r.Rule == 2 }))
}
