package watcher

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClockThatIsSet(t *testing.T) {
	t.Parallel()
	const s = time.Second
	c := &clock{}
	require.False(t, c.jumped(10*s, 10*s, 0))
	require.False(t, c.jumped(20*s, 20*s+clockDrift/2, 0), "it drifts")
	require.False(t, c.jumped(30*s, 30*s+clockDrift, 0))
	require.True(t, c.jumped(40*s, 45*s, 35*s), "forwards")
	require.False(t, c.jumped(50*s, 55*s, 41*s), "before the moment")
	require.True(t, c.jumped(60*s, 55*s, 55*s), "and back")
	require.True(t, c.jumped(61*s, 56*s, 60*s), "when it was noticed")

	now := &clock{start: time.Now()}
	require.False(t, now.setSince(0))
}

// How long the latest change is ago, by this machine's clock, spares the second
// walk through a unit; on a server, or with the clock set, it says nothing.
func TestOneWalkTellsByTheClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/z.zarr/0/0", "x")
	l := still(t, rules(dir))
	l.scanAll(t.Context())
	u := l.nodes[dir+"/z.zarr"].unit
	walk := func() walkDone {
		l.measure(u)
		l.sendWalk()
		done := walkDone{walkJob: <-l.jobs, began: time.Now()}
		l.walking, u.walking = false, false
		require.NoError(t, (&walker{match: l.match, limit: l.limit}).walk(t.Context(), &done))
		return done
	}
	done := walk()
	require.False(t, l.tells(u, &done), "it has only just changed")
	done.began = done.latest.Add(settle + 2*clockSlack)
	require.True(t, l.tells(u, &done))
	remote := done
	remote.latest = time.Time{}
	require.False(t, l.tells(u, &remote))

	u.since, u.trail = l.now()+time.Hour, done.trail
	require.True(t, walk().early, "it was not quiet long enough to go through it")
	write(t, dir+"/z.zarr/0/1", "x")
	require.NoError(t, os.Chtimes(dir+"/z.zarr/0", time.Time{}, time.Now().Add(time.Hour))) // times are coarse
	require.True(t, walk().moved)

	u.since, u.trail = 0, nil
	require.Eventually(t, func() bool {
		write(t, dir+"/z.zarr/0/1", "x")
		before := walk()
		require.NoError(t, os.Remove(dir+"/z.zarr/0/1"))
		after := walk()
		return after.latest.After(before.latest)
	}, deadline, time.Millisecond, "a folder's own change counts")
	after := walk()
	l.clock.ahead += time.Minute
	after.began = after.latest.Add(time.Hour)
	require.False(t, l.tells(u, &after), "the clock was set")
}
