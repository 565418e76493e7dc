package watcher

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settleAll looks at what is due until so much has settled into the batch.
func (l *loop) settleAll(t *testing.T, n int) {
	t.Helper()
	for began := time.Now(); l.count() < n; l.lookDue(t.Context()) {
		require.Less(t, time.Since(began), deadline, "%d of %d settled", l.count(), n)
		l.walkAll(t)
	}
}

// walkAll does the walks that are asked for.
func (l *loop) walkAll(t *testing.T) {
	t.Helper()
	for len(l.walks) > 0 {
		job := l.walks[0]
		l.walks = l.walks[1:]
		l.walked(t.Context(), walk(t, l, job))
	}
}

func walk(t *testing.T, l *loop, job walkJob) *walkDone {
	t.Helper()
	done := &walkDone{walkJob: job, began: time.Now()}
	require.NoError(t, (&walker{match: l.match, limit: l.limit}).walk(t.Context(), done))
	return done
}

// flushUntil takes events until one has had its effect.
func (l *loop) flushUntil(t *testing.T, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); l.flush(t.Context()) {
		require.Less(t, time.Since(began), deadline)
		l.drain(t.Context())
	}
}

// sendNow sends what has settled and returns its paths.
func (l *loop) sendNow() (paths []string) {
	l.holdUntil, l.first, l.last = 0, -time.Hour, -time.Hour
	l.sendBatch()
	select {
	case drops := <-l.out:
		for _, d := range drops {
			paths = append(paths, d.Path)
		}
	default:
	}
	return paths
}

// What changes while the sink is busy is not sent as it was.
func TestOutdatedDropsAreNotSent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.tif", "changes.tif", "goes.tif", "run/moves.tif"} {
		write(t, dir+"/"+name, "x")
	}
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	l.settleAll(t, 4)
	write(t, dir+"/changes.tif", "longer")
	require.NoError(t, os.Remove(dir+"/goes.tif"))
	require.NoError(t, os.Rename(dir+"/run", dir+"/moved"))
	l.flushUntil(t, func() bool { return l.nodes[dir+"/moved"] != nil })
	require.Equal(t, []string{dir + "/a.tif"}, l.sendNow())
	l.returned(t.Context(), nil)

	require.NoError(t, os.Rename(dir+"/moved", dir+"/run"))
	l.flushUntil(t, func() bool { return l.nodes[dir+"/run"] != nil })
	l.pass(t.Context())
	l.settleAll(t, 2)
	require.ElementsMatch(t, []string{dir + "/changes.tif", dir + "/run/moves.tif"}, l.sendNow())
}

// A manifest that came in the meantime, or that the sink did not take, keeps back
// what had settled already.
func TestNothingOvertakesAManifest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		write(t, fmt.Sprintf("%s/in/%d.tif", dir, i), "x")
	}
	write(t, dir+"/in/z.zarr/0/0", "x")
	write(t, dir+"/other/a.tif", "x")
	l := still(t, controlled(dir, settle))
	l.scanAll(t.Context())
	l.settleAll(t, 5)
	write(t, dir+"/in/order.yml", "x")
	in := l.nodes[dir+"/in"]
	l.flushUntil(t, in.holds)
	require.Equal(t, []string{dir + "/other/a.tif"}, l.sendNow())
	l.returned(t.Context(), nil)

	l.settleAll(t, 1)
	require.Equal(t, dir+"/in/order.yml", l.sendNow()[0])
	l.returned(t.Context(), errors.New("the database is away"))
	require.True(t, in.holds())
	require.Empty(t, l.sendNow())

	l.settleAll(t, 5)
	all := l.sendNow()
	require.Len(t, all, 5)
	require.Equal(t, dir+"/in/order.yml", all[0])
}
