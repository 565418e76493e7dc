package watcher

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// resolve returns the spot of a folder, the way the scan comes to it.
func resolve(m *matcher, dir string) (spot, bool) {
	for _, root := range m.roots() {
		if !below(dir, root) {
			continue
		}
		s := m.root(root)
		at := root
		for _, name := range splitPath(strings.TrimPrefix(dir, root)) {
			var ok bool
			at = join(at, name)
			if s, ok = m.child(&s, at); !ok {
				return spot{}, false
			}
		}
		return s, true
	}
	return spot{}, false
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	m, err := newMatcher([]Rule{
		{Path: "/data/{group}/{user}/inbox/{dataset}"},
		{Path: "/data/{group}/.2BUploaded", Control: []string{"*"}},
		{Path: "/data/core-{core}/run_{date}_{n}"},
		{Path: "/data/Demo/uploads/{user}"},
		{Path: "/srv/x/"},
		{Path: "/srv/x/y/{z}"},
	}, DefaultIgnore)
	require.NoError(t, err)
	require.Equal(t, []string{"/data", "/srv/x"}, m.roots())
	for _, tc := range []struct {
		dir      string
		rule     int // -1: nothing to find, -2: on the way to a rule's folder
		place    string
		captures map[string]string
	}{
		{"/data", -2, "", nil},
		{"/data/Demo/ann/inbox", -2, "", nil},
		{"/data/Demo/ann/outbox", -1, "", nil},
		{"/data/Demo/ann/inbox/Retina/a/b", 0, "/data/Demo/ann/inbox/Retina", map[string]string{"group": "Demo", "user": "ann", "dataset": "Retina"}},
		{"/data/Demo/ann/inbox/Retina/.processed", -1, "", nil},
		{"/data/.processed", -1, "", nil},
		{"/data/Demo/.2BUploaded", 1, "/data/Demo/.2BUploaded", map[string]string{"group": "Demo"}},
		{"/data/Demo/.2BUploaded/.Uploaded/ann", -1, "", nil},
		{"/data/core-1/run_2025_7/x", 2, "/data/core-1/run_2025_7", map[string]string{"core": "1", "date": "2025", "n": "7"}},
		{"/data/Other/uploads", -2, "", nil},
		{"/data/Other/uploads/ann", -1, "", nil},
		{"/data/Demo/uploads/ann", 3, "/data/Demo/uploads/ann", map[string]string{"user": "ann"}},
		{"/srv/x", 4, "/srv/x", map[string]string{}},
		{"/srv/x/y", 4, "/srv/x", map[string]string{}},
		{"/srv/x/y/\xff", 5, "/srv/x/y/\xff", map[string]string{"z": "\xff"}},
		{"/srv/xy", -1, "", nil},
	} {
		s, ok := resolve(m, tc.dir)
		require.Equal(t, tc.rule != -1, ok, tc.dir)
		if tc.rule < 0 {
			require.Nil(t, s.place, tc.dir)
			continue
		}
		require.NotNil(t, s.place, tc.dir)
		require.Equal(t, tc.rule, s.place.rule.index, tc.dir)
		require.Equal(t, tc.place, s.place.dir)
		require.Equal(t, tc.captures, s.place.captures)
	}
}

func TestSpecificRuleWinsForOneFolder(t *testing.T) {
	t.Parallel()
	m, err := newMatcher([]Rule{{Path: "/d/{a}"}, {Path: "/d/x{a}"}, {Path: "/d/xy"}, {Path: "/d/{b}"}}, nil)
	require.NoError(t, err)
	for dir, want := range map[string]int{"/d/a": 0, "/d/xa": 1, "/d/xy": 2} {
		s, ok := resolve(m, dir)
		require.True(t, ok)
		require.Equal(t, want, s.place.rule.index, dir)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string]Options{
		"at least one rule":             {},
		"an absolute path is required":  {Rules: []Rule{{Path: "data"}}},
		"4096 bytes at most":            {Rules: []Rule{{Path: strings.Repeat("/a", 3000)}}},
		"} without {":                   {Rules: []Rule{{Path: "/a}b"}}},
		"{name} is required":            {Rules: []Rule{{Path: "/{a-b}"}}},
		"used twice":                    {Rules: []Rule{{Path: "/{a}/{a}"}}},
		"settle is -1s":                 {Rules: []Rule{{Path: "/a", Settle: -1e9}}},
		"unknown unit 3":                {Rules: []Rule{{Path: "/a", Unit: 3}}},
		"but none are named":            {Rules: []Rule{{Path: "/a", ControlOnly: true}}},
		`rule 2: include: glob "[": sy`: {Rules: []Rule{{Path: "/a"}, {Path: "/b", Include: []string{"["}}}},
		`exclude: glob "a/b"`:           {Rules: []Rule{{Path: "/a", Exclude: []string{"a/b"}}}},
		`control: glob ""`:              {Rules: []Rule{{Path: "/a", Control: []string{""}}}},
		`ignore: glob "[x"`:             {Rules: []Rule{{Path: "/a"}}, Ignore: []string{"[x"}},
		`ignore pattern "a/[x"`:         {Rules: []Rule{{Path: "/a"}}, Ignore: []string{"a/[x"}},
		"full scan is -1ns":             {Rules: []Rule{{Path: "/a"}}, FullScan: -1},
		"scan rate -1":                  {Rules: []Rule{{Path: "/a"}}, ScanRate: -1},
		"scan interval is -1ns":         {Rules: []Rule{{Path: "/a", ScanInterval: -1}}},
		"unknown mode 4":                {Rules: []Rule{{Path: "/a", Mode: 4}}},
		`done marker ".done"`:           {Rules: []Rule{{Path: "/a", DoneMarker: ".done"}}},
		`done marker "{name}"`:          {Rules: []Rule{{Path: "/a", DoneMarker: "{name}"}}},
		`done marker "x/{name}"`:        {Rules: []Rule{{Path: "/a", DoneMarker: "x/{name}"}}},
	} {
		_, err := New(opts, newInbox())
		require.ErrorContains(t, err, want)
	}
	_, err := New(Options{Rules: []Rule{{Path: "/a"}}}, nil)
	require.ErrorContains(t, err, "a sink is required")
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	g, err := newGlobs([]string{"exact.TIF", "pre*", "*.suf", "a?c[0-9]*"})
	require.NoError(t, err)
	for name, want := range map[string]bool{
		"Exact.tif": true, "xexact.tif": false, "PREfix": true, "x.SUF": true, "x.suff": false, "abc7\xff": true, "abc": false, "": false,
	} {
		require.Equal(t, want, g.match(name), name)
	}
}

// Captures put back into the rule's path give the folder, and never span one.
func FuzzMatcher(f *testing.F) {
	f.Add("/data/{group}/{user}/in", "/data/a/b/in/c")
	f.Add("/d/x{a}y{b}", "/d/x1y2")
	f.Add("/{a}{b}", "/\xff\n")
	f.Add("/}", "/}")
	f.Fuzz(func(t *testing.T, pattern, dir string) {
		m, err := newMatcher([]Rule{{Path: pattern}}, nil)
		if err != nil || !strings.HasPrefix(dir, "/") || strings.Contains(dir, "//") || strings.ContainsRune(dir, 0) {
			return
		}
		s, ok := resolve(m, strings.TrimRight(dir, "/"))
		if !ok || s.place == nil {
			return
		}
		var filled strings.Builder
		for i := range s.place.rule.comps {
			filled.WriteString("/" + splitPath(pattern)[i])
		}
		full := filled.String()
		for name, value := range s.place.captures {
			require.NotEmpty(t, value)
			require.NotContains(t, value, "/")
			if strings.ContainsAny(value, "{}") || !utf8.ValidString(full) {
				return // filling in would fill in twice
			}
			full = strings.ReplaceAll(full, "{"+name+"}", value)
		}
		if !strings.Contains(pattern, "/.") && !strings.Contains(pattern, "//") {
			require.True(t, full == s.place.dir || s.place.dir == "/", "%q is not %q", full, s.place.dir)
		}
		require.True(t, below(strings.TrimRight(dir, "/")+"/", s.place.dir))
	})
}
