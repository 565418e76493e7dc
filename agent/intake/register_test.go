package intake

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"biomero-importer/agent/order"
)

func naming(path, own string, names ...string) *manifest {
	m := &manifest{path: path, own: own}
	for _, n := range names {
		m.patterns = append(m.patterns, order.Pattern{Path: n, Glob: order.HasMeta(n)})
	}
	return m
}

func TestRegister_holder(t *testing.T) {
	t.Parallel()
	const own = "/data/Demo/ada"
	for _, tc := range []struct {
		names, path string
		holds       bool
	}{
		{own + "/a.tif", own + "/a.tif", true},
		{own + "/a.tif", own + "/a.tiff", false},
		{own + "/run1", own + "/run1/deep/a.tif", true},
		{own + "/run1", own + "/run10/a.tif", false},
		{own + "/*.tif", own + "/a.tif", true},
		{own + "/*.tif", own + "/sub/a.tif", false},
		{own + "/run*", own + "/run1/deep/a.tif", true},
		{own + "/*/deep/*.tif", own + "/run1/deep/a.tif", true},
		{own + "/[ab].tif", own + "/b.tif", true},
		{own + `/a\*.tif`, own + "/a*.tif", true},
		{"/data/Demo/ada", own + "/a.tif", false},
		{"/data/Demo/a*", own + "/a.tif", false},
		{"/data/Demo/bob/a.tif", "/data/Demo/bob/a.tif", false},
		{"/data/Demo/*/a.tif", own + "/a.tif", true},
		{"/data/Demo/*/a.tif", "/data/Demo/bob/a.tif", false},
	} {
		r := newRegister()
		m := naming(own+"/order.yml", own, tc.names)
		r.put(m)
		require.Equal(t, tc.holds, r.holder(tc.path) == m, "%s of %s", tc.path, tc.names)
		m.taken = true
		require.Nil(t, r.holder(tc.path))
		r.remove(m)
		require.Equal(t, newRegister(), r)
	}
}

func TestRegister_holderIsTheNearest(t *testing.T) {
	t.Parallel()
	r := newRegister()
	far := naming("/d/order.yml", "/d", "/d/a")
	near := naming("/d/a/order.yml", "/d", "/d/a/b.tif")
	r.put(far)
	r.put(near)
	require.Equal(t, near, r.holder("/d/a/b.tif"))
	require.Equal(t, far, r.holder("/d/a/c.tif"))
}

// speaksFor says the same as the register, from what is asked of it.
func speaksFor(m *manifest, path string) bool {
	switch {
	case m.taken || m.unseen:
		return false
	case m.fault != nil:
		return strings.HasPrefix(path, filepath.Dir(m.path)+"/")
	}
	for at := path; strings.HasPrefix(at, m.own+"/"); at = filepath.Dir(at) {
		for _, p := range m.patterns {
			if ok, err := filepath.Match(p.Path, at); err == nil && ok {
				return true
			}
		}
	}
	return false
}

func TestRegister_findsWhatAskingEachWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "b", "ab", "*", "a*", "?", "[ab]", `a\*`})
		plain := rapid.SampledFrom([]string{"a", "b", "ab", "a*"})
		path := func(part *rapid.Generator[string], label string) string {
			return "/" + strings.Join(rapid.SliceOfN(part, 1, 5).Draw(t, label), "/")
		}
		r := newRegister()
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			if len(r.byPath) > 0 && rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				gone := rapid.SampledFrom(slices.Sorted(maps.Keys(r.byPath))).Draw(t, "gone")
				r.remove(r.byPath[gone])
				continue
			}
			m := naming(path(plain, "folder")+"/order.yml", path(plain, "own"))
			for range rapid.IntRange(0, 4).Draw(t, "names") {
				p := path(part, "name")
				m.patterns = append(m.patterns, order.Pattern{Path: p, Glob: order.HasMeta(p)})
			}
			if rapid.IntRange(0, 5).Draw(t, "fault") == 0 {
				m.fault = errors.New("not understood")
			}
			m.taken = i%7 == 6
			r.put(m)
		}
		asked := path(plain, "path")
		var want []string
		for m := range r.all() {
			if speaksFor(m, asked) {
				want = append(want, m.path)
			}
			require.Equal(t, speaksFor(m, asked), r.claims(m, asked), "%s for %s", m.path, asked)
		}
		if holder := r.holder(asked); holder == nil {
			require.Empty(t, want)
		} else {
			require.Contains(t, want, holder.path)
		}
		for _, m := range slices.Collect(r.all()) {
			r.remove(m)
		}
		require.Equal(t, newRegister(), r)
	})
}

func TestRegister_othersLeavesOutTheOneReplaced(t *testing.T) {
	t.Parallel()
	r := newRegister()
	r.put(naming("/d/1.order.yml", "/d", "/d/a", "/d/*.tif"))
	r.put(naming("/d/2.order.yml", "/d", "/d/b", "/d/c"))
	r.put(naming("/e/1.order.yml", "/e", "/e/b"))
	require.Equal(t, sums{globs: 1, names: 3}, r.others(naming("/d/3.order.yml", "/d")))
	require.Equal(t, sums{globs: 1, names: 1}, r.others(naming("/d/2.order.yml", "/d")))
}

// Whoever has very many manifests does not keep those of others waiting.
func TestDueTakesTurns(t *testing.T) {
	t.Parallel()
	in := &Intake{manifests: newRegister()}
	began := time.Now().Add(-time.Hour)
	for i := range 1000 {
		in.manifests.put(&manifest{path: fmt.Sprintf("/d/ada/%d.order.yml", i), own: "/d/ada", waiting: began.Add(time.Duration(i))})
	}
	late := &manifest{path: "/d/bob/order.yml", own: "/d/bob", waiting: time.Now()}
	in.manifests.put(late)
	list := in.due()
	require.Len(t, list, maxDue)
	require.Equal(t, "/d/ada/0.order.yml", list[0].path)
	require.Equal(t, late, list[1])
	require.NotContains(t, in.due(), late, "it is being looked at")
}

func BenchmarkHolder(b *testing.B) {
	r := newRegister()
	for i := range 10_000 {
		dir := fmt.Sprintf("/data/Demo/ada/run%d", i)
		r.put(naming(dir+"/order.yml", "/data/Demo/ada", dir+"/*.tif", dir+"/extra.czi"))
	}
	b.ReportAllocs()
	for b.Loop() {
		if r.holder("/data/Demo/ada/run77/deep/image.tif") != nil {
			b.Fatal("it is not named")
		}
	}
}
