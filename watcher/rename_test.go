package watcher

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
)

// eventsUntil takes events up to the first one on a path.
func (l *loop) eventsUntil(t *testing.T, path string) {
	t.Helper()
	late := time.After(deadline)
	for {
		select {
		case ev := <-l.notify.events:
			l.event(t.Context(), ev)
			if ev.Name == path {
				return
			}
		case <-late:
			require.FailNow(t, "an event is missing", path)
		}
	}
}

// watching returns a loop that has scanned a folder. All that comes seems to be older
// than that, as what is moved in from elsewhere is.
func watching(t *testing.T, dir string, r Rule) (*loop, *node) {
	t.Helper()
	r.Path, r.Settle = dir, maxSettle
	l := still(t, Options{Rules: []Rule{r}})
	l.scanAll(t.Context())
	l.rested, l.nextScan = never, never
	top := l.nodes[dir]
	top.since = time.Now().Add(time.Hour).UnixNano()
	return l, top
}

// atOnce reports whether what has a name in the folder is taken without a wait.
func (l *loop) atOnce(t *testing.T, n *node, name string) bool {
	t.Helper()
	st, pending := l.settler.files[n.key(l.seed, name)]
	u := n.units[name]
	if child := n.children[name]; child != nil {
		u = child.unit
	}
	require.True(t, pending || u != nil, "nothing is known of %s", name)
	return (pending && l.tick()-st.since >= ticks(maxSettle)) || (u != nil && u.placed)
}

// What was being written under a name of its own is not complete under the next
// one, whatever had been found out when it was renamed, and forgotten since.
func TestRenamedWhileItWasWritten(t *testing.T) {
	t.Parallel()
	type at func(t *testing.T, l *loop, n *node, name string)
	// All that the writing made is taken.
	all := func(t *testing.T, l *loop, n *node, _ string) {
		t.Helper()
		l.eventsUntil(t, write(t, n.path+"/fence.tmp", "x"))
		l.flush(t.Context())
	}
	flush := func(t *testing.T, l *loop, _ *node, _ string) {
		t.Helper()
		l.flush(t.Context())
	}
	meet := func(t *testing.T, l *loop, n *node, _ string) {
		t.Helper()
		for _, child := range n.children {
			child.stale = true
			l.list(child)
		}
		for len(l.lists) > 0 || l.reading != nil {
			l.scanStep(t.Context())
		}
	}
	due := func(t *testing.T, l *loop, n *node, name string) {
		t.Helper()
		key := n.key(l.seed, name)
		st := l.settler.files[key]
		st.since -= ticks(maxSettle)
		l.settler.files[key] = st
		n.urgent = true // or it waits for others
		l.look(t.Context(), n)
	}
	full := func(t *testing.T, l *loop, _ *node, _ string) {
		t.Helper()
		l.scanAll(t.Context())
		l.rested, l.nextScan = never, never
	}
	// A pass meets neither name: it has listed the next one's folder before the
	// renaming, and the old one's after it.
	between := func(t *testing.T, l *loop, n *node, _ string) {
		t.Helper()
		l.running, l.full = true, true
		l.settler.begin()
		for _, child := range n.children {
			child.pass--
		}
		l.endPass(t.Context())
		require.Empty(t, l.settler.files)
		require.Len(t, l.nodes, 1)
	}
	// More than its folder waits for, before the sink has said what was taken of it.
	many := func(t *testing.T, l *loop, n *node, name string) {
		t.Helper()
		in := n.children["in"]
		in.ready = false
		all(t, l, n, name)
		for i := range maxNames {
			l.event(t.Context(), fsnotify.Event{Name: fmt.Sprintf("%s/%d.tif", in.path, i), Op: fsnotify.Create})
		}
		l.flush(t.Context())
		require.Empty(t, l.touches)
	}
	crowd := func(_ *testing.T, l *loop, _ *node, _ string) { l.settler.max = 0 }
	room := func(_ *testing.T, l *loop, _ *node, _ string) { l.settler.max = maxPending }
	for name, c := range map[string]struct {
		rule      Rule
		old, next string
		sub       string // below old, a folder
		main      string // beside it
		before    []at   // what happens between the first event and the renaming
		after     []at   // and between the renaming and its event
	}{
		"file, at once":                           {old: "a.tif", next: "b.tif"},
		"file, to be looked at":                   {old: "a.tif", next: "b.tif", after: []at{flush}},
		"file, looked at":                         {old: "a.tif", next: "b.tif", before: []at{flush}},
		"file, due":                               {old: "a.tif", next: "b.tif", before: []at{flush}, after: []at{due}},
		"file, after a full pass":                 {old: "a.tif", next: "b.tif", before: []at{all}, after: []at{full}},
		"file, during a full pass":                {old: "a.tif", next: "b.tif", before: []at{all}, after: []at{between}},
		"file, no room for it":                    {old: "a.tif", next: "b.tif", before: []at{crowd, all, room}},
		"out of a folder gone":                    {old: "in/a.tif", next: "b.tif", before: []at{flush, meet}, after: []at{meet}},
		"out of a folder gone, after a full pass": {old: "in/a.tif", next: "b.tif", before: []at{flush, meet, all}, after: []at{full}},
		"out of an unlisted one":                  {old: "in/a.tif", next: "b.tif", before: []at{many}},
		"out of an OME-Zarr":                      {old: "a.zarr/0", next: "b.tif", before: []at{flush, meet}},
		"companion":                               {old: "x_w1.tif", next: "b.tif", main: "x.nd", before: []at{all}},
		"main file, to be seen":                   {old: "a.vsi", next: "b.vsi", after: []at{flush}},
		"main file, seen":                         {old: "a.vsi", next: "b.vsi", before: []at{flush}},
		"main file, after a full pass":            {old: "a.vsi", next: "b.vsi", before: []at{all}, after: []at{full}},
		"OME-Zarr, to be seen":                    {old: "a.zarr", next: "b.zarr", sub: "/0/0", after: []at{flush}},
		"OME-Zarr, seen":                          {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush}},
		"OME-Zarr, to be listed":                  {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush}, after: []at{meet}},
		"OME-Zarr, listed":                        {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush, meet}},
		"OME-Zarr, met again":                     {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush, meet}, after: []at{meet}},
		"OME-Zarr, after a full pass":             {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush, meet, all}, after: []at{full}},
		"OME-Zarr, during a full pass":            {old: "a.zarr", next: "b.zarr", sub: "/0/0", before: []at{flush, meet, all}, after: []at{between}},
		"folder to OME-Zarr":                      {old: "a", next: "b.zarr", sub: "/0/0", before: []at{flush, meet, all}, after: []at{between}},
		"folder of no wanted name": {
			rule: Rule{Include: []string{"*.tif", "*.zarr"}}, old: "a", next: "b.zarr", sub: "/0/0.tif", before: []at{flush},
		},
		"folder that is a drop": {
			rule: Rule{Unit: Folder}, old: "a", next: "b", sub: "/0/0", before: []at{flush, meet, all}, after: []at{between},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, dir := t.Context(), t.TempDir()
			above := filepath.Dir(filepath.Join(dir, c.old))
			require.NoError(t, os.MkdirAll(above, 0o755))
			if c.main != "" {
				write(t, dir+"/"+c.main, "x")
			}
			l, top := watching(t, dir, c.rule)

			write(t, dir+"/"+c.old+c.sub, "x")
			l.event(ctx, <-l.notify.events)
			for _, do := range c.before {
				do(t, l, top, c.old)
			}
			require.NoError(t, os.Rename(dir+"/"+c.old, dir+"/"+c.next))
			if above != dir {
				require.NoError(t, os.Remove(above))
			}
			for _, do := range c.after {
				do(t, l, top, c.old)
			}
			l.eventsUntil(t, dir+"/"+c.next)
			l.flush(ctx)
			require.False(t, l.atOnce(t, top, c.next))
		})
	}
}

// Programs write under a name that is no drop, and rename when they are done.
func TestRenamedFromWhatIsNoDrop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, next, sub string }{
		"ignored file":     {old: "a.tif.tmp", next: "a.tif"},
		"file not wanted":  {old: "a", next: "a.tif"},
		"excluded file":    {old: "a_part.tif", next: "a.tif"},
		"ignored folder":   {old: "a.zarr.tmp", next: "a.zarr", sub: "/0/0"},
		"excluded folder":  {old: "a_part.zarr", next: "a.zarr", sub: "/0/0"},
		"ignored OME-Zarr": {old: "._a.zarr", next: "a.zarr", sub: "/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, dir := t.Context(), t.TempDir()
			l, top := watching(t, dir, Rule{Include: []string{"*.tif", "*.zarr"}, Exclude: []string{"*_part.*"}})
			write(t, dir+"/"+c.old+c.sub, "x")
			l.event(ctx, <-l.notify.events)
			l.flush(ctx)
			require.NoError(t, os.Rename(dir+"/"+c.old, dir+"/"+c.next))
			l.eventsUntil(t, dir+"/"+c.next)
			l.flush(ctx)
			require.True(t, l.atOnce(t, top, c.next))
		})
	}
}

// What appears without an old name comes from where nobody watches, but for what may
// have left a folder whose watch has ended, or had not begun.
func TestAppearsWithoutAnOldName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(ctx context.Context, l *loop)
		atOnce bool
	}{
		"from elsewhere": {func(context.Context, *loop) {}, true},
		"a folder with something unsettled was forgotten": {func(ctx context.Context, l *loop) {
			require.NoError(t, os.RemoveAll(l.root.path+"/in"))
			l.meet(ctx, l.nodes[l.root.path+"/in"])
		}, false},
		"that was long ago": {func(_ context.Context, l *loop) {
			l.dropTree(l.nodes[l.root.path+"/in"])
			l.clock.start = l.clock.start.Add(-strayTime)
		}, true},
		"a folder with nothing unsettled was forgotten": {func(_ context.Context, l *loop) {
			l.nodes[l.root.path+"/in"].names = nil
			l.dropTree(l.nodes[l.root.path+"/in"])
		}, true},
		"before the first scan has ended": {func(_ context.Context, l *loop) { l.scanned = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, dir := t.Context(), t.TempDir()
			write(t, dir+"/in/a.tif", "x")
			l, top := watching(t, dir, Rule{})
			c.before(ctx, l)
			write(t, dir+"/b.tif", "x")
			l.event(ctx, fsnotify.Event{Name: dir + "/b.tif", Op: fsnotify.Create})
			l.flush(ctx)
			require.Equal(t, c.atOnce, l.atOnce(t, top, "b.tif"))
		})
	}
}
