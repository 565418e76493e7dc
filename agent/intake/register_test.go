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
	require.Equal(t, sums{globs: 1, bytes: 6, names: 3}, r.others(naming("/d/3.order.yml", "/d")))
	require.Equal(t, sums{globs: 1, bytes: 6, names: 1}, r.others(naming("/d/2.order.yml", "/d")))
}

// Whoever has very many manifests, or slow ones, does not keep those of others
// waiting, and what was looked at comes after what was not.
func TestNextTakesTurns(t *testing.T) {
	t.Parallel()
	in := &Intake{manifests: newRegister(), looking: map[string]int{}}
	began := time.Now().Add(-time.Hour)
	for i := range 1000 {
		m := &manifest{path: fmt.Sprintf("/d/ada/%d.order.yml", i), own: "/d/ada", waiting: began, next: began.Add(time.Duration(i))}
		in.manifests.put(m)
	}
	bobs := &manifest{path: "/d/bob/order.yml", own: "/d/bob", refused: true, waiting: time.Now(), next: time.Now()}
	in.manifests.put(bobs)
	in.manifests.put(&manifest{path: "/d/eve/order.yml", own: "/d/eve", next: time.Now().Add(time.Hour)})
	look := func(path string, idle bool) *manifest {
		t.Helper()
		m, gotIdle := in.next()
		require.Equal(t, path, m.path)
		require.Equal(t, idle, gotIdle)
		return m
	}
	first := look("/d/ada/0.order.yml", false)
	look("/d/bob/order.yml", true)
	look("/d/ada/1.order.yml", false)
	look("/d/ada/2.order.yml", false)
	in.done(bobs)
	look("/d/bob/order.yml", true)
	in.done(bobs)
	bobs.next = time.Now().Add(time.Hour)
	in.done(first)
	first.next = time.Now().Add(-time.Minute)
	look("/d/ada/3.order.yml", false)
}

// Very many that are refused leave time for what is new.
func TestDelay_growsWhereNothingIsAboutToHappen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		manifest manifest
		seconds  []int
	}{
		"refused": {manifest{refused: true}, []int{2, 4, 8, 16, 32, 60, 60}},
		"unseen":  {manifest{unseen: true}, []int{2, 4, 8, 16, 32, 60, 60}},
		"taken":   {manifest{taken: true}, []int{2, 4, 8, 15, 15}},
		"absent":  {manifest{absent: true}, []int{2, 4, 8, 15, 15}},
		"waiting": {manifest{waiting: time.Now().Add(-time.Hour)}, []int{15, 15}},
	} {
		for _, seconds := range tc.seconds {
			require.Equal(t, time.Duration(seconds)*time.Second, tc.manifest.delay(time.Now(), time.Millisecond), name)
		}
	}
	fresh := manifest{waiting: time.Now()}
	require.Equal(t, soonest, fresh.delay(time.Now(), 0))
	require.Equal(t, 5*time.Minute, fresh.delay(time.Now(), time.Minute))
}

func TestRegister_fitsWhatThereIsRoomFor(t *testing.T) {
	t.Parallel()
	r := newRegister()
	r.most = sums{globs: 2, bytes: 20, names: 1}
	asking := func(path, own string, names ...string) *manifest {
		m := naming(path, own, names...)
		m.needs.add(m.patterns, 1)
		return m
	}
	r.put(asking("/d/1.order.yml", "/d", "/d/a/long/folder/*.tif"))
	for _, tc := range []struct {
		names []string
		fits  bool
	}{
		{[]string{"/d/*.tif"}, true},
		{[]string{"/d/*.tif", "/d/b*"}, false},
		{[]string{"/d/" + strings.Repeat("x", 15) + "/*"}, true},
		{[]string{"/d/" + strings.Repeat("x", 15) + "*"}, false},
		{[]string{"/d/*/" + strings.Repeat("x", 14)}, false},
		{[]string{"/d/a"}, true},
		{[]string{"/d/a", "/d/b"}, false},
	} {
		require.Equal(t, tc.fits, r.fits(asking("/d/2.order.yml", "/d", tc.names...)), tc.names)
	}
	require.True(t, r.fits(asking("/d/1.order.yml", "/d", "/d/*.tif", "/d/b*")), "it replaces the other")
	require.True(t, r.turn(asking("/d/3.order.yml", "/d")))
	waits := asking("/d/2.order.yml", "/d", "/d/a*", "/d/b*")
	waits.crowded, waits.fault = true, errCrowded
	r.put(waits)
	require.False(t, r.turn(asking("/d/3.order.yml", "/d")), "it is not its turn")
	require.True(t, r.turn(asking("/d/2.order.yml", "/d")))
	require.True(t, r.turn(asking("/e/2.order.yml", "/e")))
	r.remove(waits)
	require.True(t, r.turn(asking("/d/3.order.yml", "/d")))
	require.True(t, r.fits(asking("/e/1.order.yml", "/e", "/e/*.tif", "/e/b*")))
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

// The longest patterns that may wait for files of one owner.
func BenchmarkHolder_ofLongPatterns(b *testing.B) {
	r := newRegister()
	dir := "/data/Demo/ada/" + strings.Repeat("deep/", 700)
	long := strings.Repeat("*a", 120)
	for i := 0; ; i++ {
		m := naming(fmt.Sprintf("%s%d.order.yml", dir, i), "/data/Demo/ada", fmt.Sprintf("%s%s%d", dir, long, i))
		m.needs.add(m.patterns, 1)
		if !r.fits(m) {
			break
		}
		r.put(m)
	}
	name := dir + strings.Repeat("a", 255)
	b.ReportAllocs()
	for b.Loop() {
		if r.holder(name) != nil {
			b.Fatal("it is not named")
		}
	}
}
