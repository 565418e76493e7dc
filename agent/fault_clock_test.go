package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is what a server takes for the time.
type clock struct {
	t    *testing.T
	file string
}

// newClock has a server, which is not started yet, go by a clock that can be set.
// What it waits for takes as long as ever.
func newClock(t *testing.T, s *server) *clock {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	require.NotEmpty(t, found, "the Debian package faketime is missing, scripts/test installs it")
	c := &clock{t, filepath.Join(s.dir, "clock")}
	s.env = append(s.env, "LD_PRELOAD="+found[0], "FAKETIME_TIMESTAMP_FILE="+c.file,
		"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DISABLE_SHM=1")
	c.set(0)
	return c
}

// set has it differ from ours.
func (c *clock) set(by time.Duration) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(c.file+".new", fmt.Appendf(nil, "%+.0f\n", by.Seconds()), 0o644))
	require.NoError(c.t, os.Rename(c.file+".new", c.file))
}

// The database's clock is set an hour forth and back, between orders and amid them.
func TestFault_clockJumps(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	s := newServer(t, filepath.Join(dir, "db"))
	clock := newClock(t, s)
	r := openRig(t, dir, s)
	w := r.worker("a").start()
	for _, by := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		release := r.hold(filesets)
		r.place("ada", 5, 3)
		r.place("bob", 5, 3)
		r.stuck(4)
		clock.set(by)
		off := by.Seconds() - float64(r.count(`SELECT extract(epoch FROM clock_timestamp() - to_timestamp($1))::int`, time.Now().Unix()))
		require.InDelta(t, 0, off, 60, "the clock is not set")
		r.place("eve", 5, 3)
		release()
		r.finish()
	}
	w.stop()
	audit(t, r)
}

// What is to be tried again soon is so, also when the clock says for a while that
// its time is far away.
func TestFault_clockGoesBackWhileAnOrderWaits(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	s := newServer(t, filepath.Join(dir, "db"))
	clock := newClock(t, s)
	r := openRig(t, dir, s)
	w := r.worker("a").start()
	release := r.hold(filesets)
	r.place("ada", 4, 3)
	r.stuck(4)
	r.eventually(func() bool { // who is about to wait does not say so yet
		s.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
		return r.count(`SELECT count(*) FROM importer.orders WHERE state = 'queued' AND tries > 0`) > 0
	}, "an order waits to be tried again")
	clock.set(-time.Hour)
	release()
	r.finish()
	w.stop()
	audit(t, r)
}
