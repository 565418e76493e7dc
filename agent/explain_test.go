package main_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/explain"
	"biomero-importer/agent/order"
)

func (s *site) explain(path string) (x explain.Explanation) {
	s.t.Helper()
	out, errs, status := s.run("explain", "--json", path)
	require.Zero(s.t, status, errs)
	require.NoError(s.t, json.Unmarshal([]byte(out), &x))
	return x
}

func (s *site) drops(args ...string) (list explain.Drops, byName map[string]explain.Drop) {
	s.t.Helper()
	out, errs, status := s.run(append([]string{"drops", "list", "--json"}, args...)...)
	require.Zero(s.t, status, errs)
	require.NoError(s.t, json.Unmarshal([]byte(out), &list))
	byName = map[string]explain.Drop{}
	for _, d := range list.Drops {
		byName[strings.TrimPrefix(d.Path, s.path("data")+"/")] = d
	}
	return list, byName
}

// patient adds a rule whose drops have to be left alone for long.
func (s *site) patient() {
	s.t.Helper()
	s.configure("  - path: " + s.path("data") + "/{group}/{user}/slow\n" +
		"    order: {group: \"{group}\", user: \"{user}\", destination: {type: Dataset, id: 7}, priority: 3}\n    settle: 1h\n")
}

func TestExplain_saysWhatWouldHappen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.patient()
	slow := s.write("pixels", "Demo", "ada", "slow", "a.tif")
	x := s.explain(slow)
	require.Equal(t, explain.Settling, x.State)
	require.Regexp(t, `^settling, (1h0m0s|59m\d+s) left$`, x.Reason)
	require.InDelta(t, 3600, x.LeftSeconds, 600)
	require.Equal(t, 3, x.Rule)
	require.Equal(t, &explain.Order{Group: "Demo", User: "ada", Type: "Dataset", ID: 7, Priority: 3}, x.Order)
	require.True(t, x.Import.OK)
	require.Nil(t, x.Record)
	require.Contains(t, x.Rules[0].Reason, `its path has "inbox" where this has "slow"`)
	require.True(t, x.Rules[2].Matches)
	require.Len(t, x.Rules, 4, "the last one is for legacy order files")

	out, errs, status := s.run("explain", slow)
	require.Zero(t, status, errs)
	require.Contains(t, out, slow+"\nsettling, ")
	require.Contains(t, out, "into the Dataset 7, for ada of Demo, priority 3")
	require.Regexp(t, `\nrule 1 +\S+/inbox/\{dataset\}  no: its path has "inbox" where this has "slow"\n`, out)
	require.Regexp(t, `\nrule 3 +\S+/slow  it matches\n`, out)

	ignored := s.write("pixels", "Demo", "ada", "slow", "a.tif.tmp")
	require.Equal(t, "ignored by *.tmp", s.explain(ignored).Reason)
	stray := s.write("pixels", "Demo", "ada", "b.tif")
	require.Equal(t, explain.Unwatched, s.explain(stray).State)
	x = s.explain(s.path("data", "nothing.tif"))
	require.Equal(t, explain.Missing, x.State)
	x = s.explain("/etc/passwd")
	require.Equal(t, explain.Unwatched, x.State)

	s.write("chunk", "Demo", "ada", "slow", "c.zarr", "0")
	x = s.explain(s.path("data", "Demo", "ada", "slow", "c.zarr", "0"))
	require.Equal(t, explain.Part, x.State)
	require.Equal(t, s.path("data", "Demo", "ada", "slow", "c.zarr"), x.Unit)
	require.Equal(t, "zarr", x.Kind)
	require.False(t, x.Import.OK, "it has no metadata")

	list, err := s.store.Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list, "nothing was done")
}

func TestExplain_saysWhatTheDatabaseHas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	first := s.write("pixels", "Demo", "ada", "inbox", "Retina", "a.tif")
	id := s.orderOf("a.tif")
	s.ended(id, 1)
	x := s.explain(first)
	require.Equal(t, explain.Taken, x.State)
	require.Equal(t, "part of the order "+id, x.Reason)
	require.Equal(t, id, x.Record.Order)

	second := s.write("pixels", "Demo", "ada", "inbox", "Retina", "b.tif")
	s.ended(s.orderOf("b.tif"), 1)
	require.Equal(t, first, s.explain(second).DuplicateOf)

	manifest := s.write(strings.Replace(goodManifest, `["*.tif"]`, `["*.tif", late.czi]`, 1), "Demo", "ada", "inbox", "Retina", "m", "order.yml")
	held := s.write("pixels!", "Demo", "ada", "inbox", "Retina", "m", "held.tif")
	s.eventually(func() bool { x := s.explain(held); return x.State == explain.Held && x.Record != nil }, "it is held")
	require.Equal(t, manifest, s.explain(held).Record.Holder)
	x = s.explain(manifest)
	require.Equal(t, explain.Waiting, x.State)
	require.Contains(t, x.Reason, `late.czi" is not there`)
	require.Equal(t, "manifest", x.Kind)
	require.EqualValues(t, 151, x.Order.ID)
	require.Equal(t, held, x.Files[0].Paths[0].Path)
	require.Zero(t, x.Files[1].Count)

	bad := s.write(strings.Replace(goodManifest, "ada", "eve", 1), "Demo", "ada", "orders", "bad.order.yml")
	require.Contains(t, s.explain(bad).Reason, `acts for the user "eve"`, "before the service says so or after")
	s.eventually(func() bool { x := s.explain(bad).Record; return x != nil && x.State == "refused" }, "it is refused")
	empty := s.write("", "Demo", "ada", "inbox", "Retina", "empty.tif")
	s.eventually(func() bool { return s.explain(empty).State == explain.Refused }, "it is refused")
	s.write("tmp", "Demo", "ada", "inbox", "Retina", "x.tmp")
	s.write("pixels", "Demo", "ada", "stray.tif")

	_, drops := s.drops()
	states := map[string]explain.State{}
	for name, d := range drops {
		states[name] = d.State
	}
	require.Equal(t, map[string]explain.State{
		"Demo/ada/inbox/Retina/m/order.yml": explain.Waiting, "Demo/ada/inbox/Retina/m/held.tif": explain.Held,
		"Demo/ada/orders/bad.order.yml": explain.Refused, "Demo/ada/inbox/Retina/empty.tif": explain.Refused,
		"Demo/ada/inbox/Retina/x.tmp": explain.Ignored, "Demo/ada/stray.tif": explain.Unwatched,
	}, states)
	require.Equal(t, "no rule: the folders of rules lie deeper", drops["Demo/ada/stray.tif"].Reason)
	out, errs, status := s.run("drops", "list")
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)  unwatched  \S+/Demo/ada/stray\.tif +no rule: the folders of rules lie deeper$`, out)
	require.Equal(t, "It waits for the manifest order.yml.", drops["Demo/ada/inbox/Retina/m/held.tif"].Reason)
	require.Contains(t, drops["Demo/ada/orders/bad.order.yml"].Reason, "eve")

	s.write("pixels", "Demo", "ada", "inbox", "Retina", "m", "late.czi")
	require.Equal(t, order.Completed, s.ended(s.orderOf("late.czi"), 1).Stage)
	_, drops = s.drops()
	require.NotContains(t, drops, "Demo/ada/inbox/Retina/m/held.tif")
	a.stop()
}

// Without a database the rules still say something.
func TestExplain_withoutADatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.url = "postgresql://ada:hunter2@127.0.0.1:1/db?connect_timeout=1"
	s.patient()
	x := s.explain(s.write("pixels", "Demo", "ada", "slow", "a.tif"))
	require.Equal(t, explain.Settling, x.State)
	require.NotNil(t, x.Order)
	require.Contains(t, x.Database, "connecting")
	require.NotContains(t, x.Database, "hunter2")
	_, _, status := s.run("drops", "list")
	require.Equal(t, 4, status, "all that was taken would be listed")
}

func TestDrops_areListedTheNewestFirstAndBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.patient()
	// later waits until what is written has a later time than what was.
	later := func(path string) {
		before, err := os.Stat(path)
		require.NoError(t, err)
		s.eventually(func() bool {
			require.NoError(t, os.WriteFile(s.path("now"), nil, 0o600))
			now, err := os.Stat(s.path("now"))
			return err == nil && now.ModTime().After(before.ModTime())
		}, "time passes")
	}
	for _, name := range []string{"c.tif", "a.tif", "b.tif"} {
		later(s.write("pixels", "Demo", "ada", "slow", name))
	}
	later(s.write("pixels", "Demo", "bob", "slow", "run.zarr", "0", "0"))
	require.NoError(t, os.Symlink("a.tif", s.path("data", "Demo", "ada", "slow", "link.tif")))
	names := func(args ...string) (names []string) {
		list, _ := s.drops(args...)
		for _, d := range list.Drops {
			names = append(names, strings.TrimPrefix(d.Path, s.path("data", "Demo")+"/"))
		}
		return names
	}
	require.Equal(t, []string{"ada/slow/link.tif", "bob/slow/run.zarr", "ada/slow/b.tif", "ada/slow/a.tif", "ada/slow/c.tif"}, names())
	require.Equal(t, []string{"ada/slow/link.tif", "bob/slow/run.zarr"}, names("-n", "2"))
	require.Equal(t, []string{"ada/slow/a.tif", "ada/slow/b.tif"}, names("-n", "2", "--by-folder"))
	list, _ := s.drops("-n", "2", "--by-folder")
	require.True(t, list.More)
	require.False(t, list.Complete)
	out, _, _ := s.run("drops", "list")
	require.Contains(t, out, "settling, ")
	require.Contains(t, out, "links are not followed")
	require.NotContains(t, out, "There are more")
	out, _, _ = s.run("drops", "list", "-n", "1")
	require.Contains(t, out, "There are more")
}
