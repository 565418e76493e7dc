package tracking_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestKnown_isOnlyOfWhatIsDoneWith(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var drops []tracking.Drop
	add := func(path string, kind tracking.DropKind, state tracking.DropState) {
		drops = append(drops, tracking.Drop{Path: path, Kind: kind, State: state, Mark: uint64(len(drops)) + 1<<63})
	}
	add("/d/a/taken", tracking.DropFile, tracking.DropTaken)
	add("/d/a/refused", tracking.DropFile, tracking.DropRefused)
	add("/d/a/held", tracking.DropFile, tracking.DropHeld)
	add("/d/a/gone", tracking.DropFile, tracking.DropGone)
	add("/d/a/waiting", tracking.DropFolder, tracking.DropWaiting)
	for _, state := range []tracking.DropState{tracking.DropTaken, tracking.DropRefused, tracking.DropWaiting} {
		add("/d/a/"+string(state)+".order.yml", tracking.DropManifest, state)
		add("/d/a/"+string(state)+".txt", tracking.DropLegacy, state)
	}
	add("/d/a/folder", tracking.DropFolder, tracking.DropTaken)
	add("/d/a/folder/deep", tracking.DropFile, tracking.DropTaken)
	add("/d/\xff/odd", tracking.DropFile, tracking.DropRefused)
	drops = append(drops, tracking.Drop{Path: "/d/a/unmarked", Kind: tracking.DropFile, State: tracking.DropTaken})
	require.NoError(t, f.Place(t.Context(), drops, nil))

	mark := func(path string) uint64 {
		i := slices.IndexFunc(drops, func(d tracking.Drop) bool { return d.Path == path })
		return drops[i].Mark
	}
	known := func() [][]uint64 {
		t.Helper()
		known, err := f.Known(t.Context(), []string{"/d/a/folder", "/d", "/d/a", "/d/\xff", "/d/a/folder"})
		require.NoError(t, err)
		require.Len(t, known, 5)
		return known
	}
	got := known()
	require.Equal(t, []uint64{mark("/d/a/folder/deep")}, got[0])
	require.Empty(t, got[1])
	require.ElementsMatch(t, []uint64{mark("/d/a/taken"), mark("/d/a/refused"), mark("/d/a/folder")}, got[2])
	require.Equal(t, []uint64{mark("/d/\xff/odd")}, got[3])
	require.Equal(t, got[0], got[4])

	// What is to be shown again is no longer known; what was held is, once it is taken.
	for i := range drops[:3] {
		drops[i].Version = 1
	}
	drops[0].State, drops[1].Mark, drops[2].State = tracking.DropHeld, 77, tracking.DropTaken
	require.NoError(t, f.Place(t.Context(), drops[:3], nil))
	require.ElementsMatch(t, []uint64{77, mark("/d/a/held"), mark("/d/a/folder")}, known()[2])

	// A person may set a state by hand.
	f.exec(`UPDATE importer.drops SET state = 'gone' WHERE path = '/d/a/folder'`)
	require.ElementsMatch(t, []uint64{77, mark("/d/a/held")}, known()[2])
}

func TestKnown_isNothingOfRowsFromBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := tracking.Drop{Path: "/d/a", Kind: tracking.DropFile, State: tracking.DropTaken, Mark: 1}
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{d}, nil))
	f.exec(`UPDATE importer.drops SET folder = NULL, mark = NULL, fingerprint = NULL`)
	known, err := f.Known(t.Context(), []string{"/d"})
	require.NoError(t, err)
	require.Equal(t, [][]uint64{nil}, known)
	d.Version = 1
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{d}, nil))
	known, err = f.Known(t.Context(), []string{"/d"})
	require.NoError(t, err)
	require.Equal(t, [][]uint64{{1}}, known)
}

// Neither before PostgreSQL has statistics of the drops, as after an upgrade,
// nor then.
func TestLookups_neverReadTheWholeTable(t *testing.T) {
	t.Parallel()
	s, err := tracking.Open(t.Context(), trackingtest.URL(t), 1) // one connection, so that each statement is prepared once
	require.NoError(t, err)
	t.Cleanup(s.Close)
	f := fixture{Store: s, t: t}
	const drops = 200_000
	f.exec(`ALTER TABLE importer.drops SET (autovacuum_enabled = false)`)
	f.exec(`INSERT INTO importer.drops (key, path, folder, kind, size, mtime, inode, mark, fingerprint, state, version)
		SELECT sha256(path::bytea), path, ('x' || left(encode(sha256(folder::bytea), 'hex'), 16))::bit(64)::bigint,
			'file', 5, 6, n, n, n, 'taken', 1
		FROM generate_series(1, $1) n, LATERAL (SELECT '/d/' || n / 100 AS folder) f, LATERAL (SELECT folder || '/' || n AS path) p`, drops)
	read := func() (rows int) {
		f.exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, s.Pool().QueryRow(t.Context(), `SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'drops'`).Scan(&rows))
		return rows
	}
	for _, statistics := range []bool{false, true} {
		if statistics {
			f.exec(`ANALYZE importer.drops`)
		}
		for _, n := range []int{1, 10, 500, 1000, 10_000} {
			var paths, folders []string
			var contents []tracking.Drop
			for i := range n {
				folders = append(folders, fmt.Sprintf("/d/%d", i))
				paths = append(paths, fmt.Sprintf("/d/%d/%d", i/100, i))
				contents = append(contents, tracking.Drop{Path: "/new", Size: 5, Fingerprint: uint64(i)})
			}
			for name, look := range map[string]func() error{
				"Drops":     func() error { _, err := s.Drops(t.Context(), paths); return err },
				"Known":     func() error { _, err := s.Known(t.Context(), folders[:min(n, 1000)]); return err },
				"Originals": func() error { _, err := s.Originals(t.Context(), contents); return err },
			} {
				before := read()
				for range 6 { // the sixth may have a plan that is for any arguments
					require.NoError(t, look())
				}
				require.Equal(t, before, read(), "%s of %d, statistics: %t", name, n, statistics)
			}
		}
	}
}

func TestDrops_comeBackAsTheyWerePlaced(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want := tracking.Drop{
		Path: "/d/a", Kind: tracking.DropFolder, Size: 5, ModTime: -6, Inode: 1<<63 + 7, Mark: 1<<63 + 8, Fingerprint: 1<<63 + 9,
		Digest: []byte{}, State: tracking.DropTaken, Reason: "why", Holder: "/d/h", UUID: "id", DuplicateOf: "/d/b", Changed: true,
	}
	for version := range 2 {
		want.Version = version
		require.NoError(t, f.Place(t.Context(), []tracking.Drop{want}, nil))
		found, err := f.Drops(t.Context(), []string{want.Path})
		require.NoError(t, err)
		got := found[want.Path]
		require.NotZero(t, got.FirstSeen)
		got.FirstSeen = want.FirstSeen
		got.Version--
		require.Equal(t, want, got)
	}
}

// Two agents see the same files: one records them, the other is told so and
// leaves nothing.
func TestPlace_ofTheSameNewDropsByTwoAgents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for round := range 20 {
		var won atomic.Int32
		var agents errgroup.Group
		for agent := range 2 {
			agents.Go(func() error {
				o := newOrder("/d")
				shared := tracking.Drop{Path: fmt.Sprintf("/d/%d", round), Kind: tracking.DropFile, State: tracking.DropTaken, UUID: o.UUID}
				own := shared
				own.Path += fmt.Sprintf(" of %d", agent)
				err := f.Place(t.Context(), []tracking.Drop{own, shared}, []tracking.NewOrder{o})
				if errors.Is(err, tracking.ErrDropChanged) {
					return nil
				}
				won.Add(1)
				return err
			})
		}
		require.NoError(t, agents.Wait())
		require.Equal(t, int32(1), won.Load())
	}
	require.Equal(t, []string{"40"}, f.column(`SELECT count(*)::text FROM importer.drops`))
	require.Equal(t, []string{"20"}, f.column(`SELECT count(*)::text FROM public.imports`))
}

func TestPlace_ofNewAndChangedDropsIsAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	drop := func(path string, version int) tracking.Drop {
		return tracking.Drop{Path: path, Kind: tracking.DropFile, State: tracking.DropTaken, Version: version}
	}
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{drop("/d/a", 0), drop("/d/b", 0)}, nil))
	for _, stale := range [][]tracking.Drop{
		{drop("/d/new", 0), drop("/d/a", 1), drop("/d/b", 7)},
		{drop("/d/new", 0), drop("/d/a", 1), drop("/d/b", 0)},
	} {
		require.ErrorIs(t, f.Place(t.Context(), stale, nil), tracking.ErrDropChanged)
	}
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{drop("/d/new", 0), drop("/d/a", 1), drop("/d/b", 1)}, nil))
}

func TestOriginals_areOfAnotherDropThatWasTakenEarliest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	drop := func(path string, size int64, state tracking.DropState) tracking.Drop {
		return tracking.Drop{Path: path, Kind: tracking.DropFile, Size: size, Fingerprint: 1 << 63, State: state}
	}
	first, second := drop("/d/z", 5, tracking.DropTaken), drop("/d/a", 5, tracking.DropTaken)
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{
		drop("/d/refused", 5, tracking.DropRefused), drop("/d/held", 5, tracking.DropHeld), first, second, drop("/d/b", 5, tracking.DropTaken),
	}, nil))
	unknown := drop("/d/unknown", 5, tracking.DropTaken)
	unknown.Fingerprint = 0
	got, err := f.Originals(t.Context(), []tracking.Drop{
		first, second, drop("/d/new", 5, tracking.DropTaken), drop("/d/new", 6, tracking.DropTaken), unknown,
	})
	require.NoError(t, err)
	require.Equal(t, []string{"/d/a", "/d/z", "/d/z", "", ""}, got)
}
