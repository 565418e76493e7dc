package watcher

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStampIsSmall(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 16, unsafe.Sizeof(stamp{}))
}

func TestSettler(t *testing.T) {
	t.Parallel()
	const quiet = 100
	type step struct {
		at     tick
		digest uint64
		why    how
		want   verdict
	}
	settled := verdict{settled: true}
	wait := func(d tick) verdict { return verdict{waiting: true, wait: d} }
	for name, steps := range map[string][]step{
		"unchanged":             {{0, 1, glanced, wait(100)}, {60, 1, glanced, wait(40)}, {100, 1, glanced, settled}},
		"changed":               {{0, 1, glanced, wait(100)}, {99, 2, glanced, wait(100)}, {199, 2, glanced, settled}},
		"back and forth":        {{0, 1, glanced, wait(100)}, {90, 2, glanced, wait(100)}, {120, 1, glanced, wait(100)}},
		"touched starts over":   {{0, 1, touched, wait(100)}, {99, 1, touched, wait(100)}, {199, 1, glanced, settled}},
		"moved into place":      {{0, 1, placed, settled}, {50, 1, glanced, settled}},
		"moved, then written":   {{0, 1, placed, settled}, {1, 2, touched, wait(100)}},
		"the clock wraps round": {{^tick(0) - 20, 1, glanced, wait(100)}, {79, 1, glanced, settled}},
	} {
		s := newSettler()
		for i, st := range steps {
			require.Equal(t, st.want, s.see(7, st.digest, st.at, quiet, st.why), "%s, step %d", name, i)
		}
	}
}

func TestSettlerAfterHandOver(t *testing.T) {
	t.Parallel()
	s := newSettler()
	require.True(t, s.see(1, 10, 0, 5, placed).settled)
	s.take(1, 10)
	require.Equal(t, verdict{}, s.see(1, 10, 100, 5, glanced), "on its way")
	require.True(t, s.see(1, 11, 100, 5, glanced).waiting, "changed on its way")
	s.accept(1, 10)
	require.True(t, s.see(1, 11, 105, 5, glanced).settled, "the sink's answer was about the old state")
	s.take(1, 11)
	s.refuse(1, 10)
	require.Equal(t, verdict{}, s.see(1, 11, 106, 5, glanced))
	s.refuse(1, 11)
	require.True(t, s.see(1, 11, 106, 5, glanced).settled)
	s.take(1, 11)
	s.accept(1, 11)
	require.Empty(t, s.files, "what is taken is not unsettled")
}

func TestSettlerForgetsWhatAFullScanDidNotMeet(t *testing.T) {
	t.Parallel()
	s := newSettler()
	s.see(1, 10, 0, 5, glanced)
	s.begin()
	s.see(2, 20, 0, 5, glanced)
	s.sweep()
	require.Len(t, s.files, 1)
	s.begin()
	s.sweep()
	require.Empty(t, s.files)
}

func TestSettlerIsBounded(t *testing.T) {
	t.Parallel()
	s := newSettler()
	s.max = 2
	require.False(t, s.see(1, 10, 0, 5, glanced).full)
	require.Equal(t, verdict{waiting: true, full: true, wait: 5}, s.see(2, 20, 0, 5, glanced))
	require.True(t, s.see(1, 10, 5, 5, glanced).settled, "what it knows goes on")
	s.take(1, 10)
	s.accept(1, 10)
	require.False(t, s.see(2, 20, 5, 5, glanced).full)
}

// One place that is full of unsettled files leaves room for others.
func TestSettlerIsFair(t *testing.T) {
	t.Parallel()
	s := newSettler()
	s.max = 800
	const other = 1 << (64 - ownerBits)
	for key := range uint64(1000) {
		s.see(key, 1, 0, 5, glanced)
	}
	require.Len(t, s.files, 400)
	for key := range uint64(1000) {
		s.see(other+key, 1, 0, 5, glanced)
	}
	require.Len(t, s.files, 500)
	for key := range uint64(400) {
		s.forget(key)
	}
	require.False(t, s.see(other+500, 1, 0, 5, glanced).full)
	s.begin()
	s.sweep()
	require.Zero(t, s.owners)
}

func TestTicksNeverShortenAQuietTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		quiet := time.Duration(rapid.Int64Range(0, int64(maxSettle)).Draw(t, "quiet"))
		from := time.Duration(rapid.Int64Range(0, int64(maxSettle)).Draw(t, "from"))
		passed := time.Duration(rapid.Int64Range(0, int64(quiet)+2_000_000).Draw(t, "passed"))
		elapsed := (from+passed)/time.Millisecond - from/time.Millisecond
		if tick(elapsed) >= ticks(quiet) && passed < quiet {
			t.Fatalf("settled %s after %s", quiet, passed)
		}
	})
}

// Whatever happens to a file, it is handed over only in a state that was seen,
// undisturbed, for the quiet time, and once per state.
func TestSettlerProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const quiet = 10
		s := newSettler()
		var now, since tick
		var seen, taken, flying uint64
		t.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now += tick(rapid.IntRange(1, 15).Draw(t, "ms")) },
			"look": func(t *rapid.T) {
				digest := rapid.Uint64Range(1, 3).Draw(t, "digest")
				why := how(rapid.IntRange(0, 1).Draw(t, "why"))
				if digest != seen || (why == touched && digest != taken && digest != flying) {
					since = now
				}
				if digest != seen { // a change undoes what was known of it
					taken, flying = 0, 0
				}
				seen = digest
				if taken == digest {
					return // the loop knows it by its mark
				}
				v := s.see(1, digest, now, quiet, why)
				switch {
				case v.settled:
					if now-since < quiet || taken == digest || flying == digest {
						t.Fatalf("handed over %d after %d, taken %d, on its way %d", digest, now-since, taken, flying)
					}
					s.take(1, digest)
					flying = digest
				case v.waiting:
					if v.wait == 0 || v.wait > quiet {
						t.Fatalf("waits %d", v.wait)
					}
				case taken != digest && flying != digest:
					t.Fatalf("%d is forgotten", digest)
				}
			},
			"answer": func(t *rapid.T) {
				if flying == 0 {
					t.Skip("nothing on its way")
				}
				if rapid.Bool().Draw(t, "ok") {
					s.accept(1, flying)
					taken, flying = flying, 0
				} else {
					s.refuse(1, flying)
					flying = 0
				}
			},
		})
	})
}
