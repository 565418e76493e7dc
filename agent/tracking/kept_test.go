package tracking_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// keptSession names the one whose plans are kept, and whose reads are counted.
const keptSession = "kept"

// keptOn is a store of one session that has yet to make its plans: on what the planner is
// told of once it is made.
func (f fixture) keptOn(made func()) fixture {
	f.t.Helper()
	made()
	for _, target := range []string{"hook", "mail"} {
		f.tell(tracking.Target{Name: target, Stages: bothStages})
	}
	f.exec(`VACUUM ANALYZE`)
	store, err := tracking.Open(f.t.Context(), f.Pool().Config().ConnString()+"&application_name="+keptSession, 1)
	require.NoError(f.t, err)
	f.t.Cleanup(store.Close)
	return fixture{Store: store, t: f.t}
}

// reads is how many rows were read while do was done by a store of one session: how many
// entries of indexes is chance, since those of dead rows stay for as long as others work.
func (f fixture) reads(kept fixture, do func()) int {
	f.t.Helper()
	read := func() int {
		kept.exec(`SELECT pg_stat_force_next_flush()`)
		f.Pool().Reset() // the other sessions tell what they read when they end
		require.Eventually(f.t, func() bool {
			return f.column(`SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()
				AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> $1`, keptSession)[0] == "0"
		}, time.Minute, 10*time.Millisecond)
		n, err := strconv.Atoi(f.column(`SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::text FROM pg_stat_user_tables`)[0])
		require.NoError(f.t, err)
		return n
	}
	before := read()
	do()
	return read() - before
}

// dropped has manifests noticed, recorded, looked up, changed and reported on.
func (f fixture) dropped(manifests int) {
	f.t.Helper()
	drops := make([]tracking.Drop, manifests)
	paths, folders := make([]string, manifests), make([]string, manifests)
	for i := range drops {
		folders[i] = "/data/" + uuid.NewString()
		paths[i] = folders[i] + "/order.yml"
		drops[i] = tracking.Drop{Path: paths[i], Kind: tracking.DropManifest, Fingerprint: uint64(i) + 1, State: tracking.DropTaken, UUID: paths[i]}
	}
	require.NoError(f.t, f.Place(f.t.Context(), drops, nil))
	found, err := f.Drops(f.t.Context(), paths)
	require.NoError(f.t, err)
	require.Len(f.t, found, manifests)
	_, err = f.Known(f.t.Context(), folders)
	require.NoError(f.t, err)
	_, err = f.Originals(f.t.Context(), drops)
	require.NoError(f.t, err)
	for i := range drops {
		drops[i].Version, drops[i].Changed = 1, true
	}
	require.NoError(f.t, f.Place(f.t.Context(), drops, nil))
	for due := 1; due > 0; {
		due, err = f.Report(f.t.Context(), func(context.Context, tracking.Report) error { return nil })
		require.NoError(f.t, err)
	}
}

// live has so many orders taken up, begun, tried again, rescued, given back, held back,
// imported, ended, told of, asked for again, cancelled and shown.
func (f fixture) live(orders int) {
	f.t.Helper()
	f.dropped(orders)
	for range orders {
		f.insert(`["/data/a.tif", "/data/b.tif"]`)
	}
	begin := func(works []*tracking.Work) []*tracking.Work {
		require.Len(f.t, works, orders)
		require.NoError(f.t, f.BeginLot(f.t.Context(), works))
		return works
	}
	for _, w := range begin(f.takeOnly(agent)) {
		require.NoError(f.t, f.PutBack(f.t.Context(), w.Job, 0, true, "", nil))
	}
	begin(f.takeOnly(agent))
	_, err := f.Rescue(f.t.Context(), []string{agent}, nil)
	require.NoError(f.t, err)
	begin(f.takeOnly(agent))
	require.NoError(f.t, f.GiveBack(f.t.Context(), []string{agent}))
	var ends []tracking.End
	for _, w := range begin(f.takeOnly(agent)) {
		files := f.imported(w)
		require.NoError(f.t, f.SaveFiles(f.t.Context(), w.Job, files))
		ends = append(ends, tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: files})
	}
	for _, e := range ends {
		f.exec(setBack, e.Job.UUID)
	}
	require.Empty(f.t, f.takeOnly(agent), "it waits for the order's end")
	require.NoError(f.t, f.FinishLot(f.t.Context(), ends))
	require.NoError(f.t, f.Settle(f.t.Context(), f.claim("hook", true), tracking.DeliveryMade, 0, ""))
	ends = ends[:0]
	for _, w := range begin(f.takeOnly(agent)) {
		ends = append(ends, tracking.End{Job: w.Job, Stage: order.Failed, Reason: "It is corrupt."})
	}
	require.NoError(f.t, f.FinishLot(f.t.Context(), ends))
	for _, e := range ends {
		require.NoError(f.t, f.Retry(f.t.Context(), e.Job.UUID, false))
		require.NoError(f.t, f.Cancel(f.t.Context(), e.Job.UUID))
		shown, err := f.Show(f.t.Context(), e.Job.UUID)
		require.NoError(f.t, err)
		require.Equal(f.t, order.Failed, shown.Stage)
	}
	f.exec(insertOf, "A", "ada", orders)
	for ended := 0; ended < orders; {
		works := f.takeFor(7)
		f.endAll(works...)
		ended += len(works)
	}
}

// The server keeps its plans, however few rows there were when it made them, while tables
// grow. What is done with an order reads neither all the others nor those it shares a
// transaction with.
func TestStore_readsItsOrdersAlone(t *testing.T) {
	t.Parallel()
	for name, had := range map[string]int{"none": 0, "one": 1, "a few": 5, "a page": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const more, few, lot = 20_000, 20, 80
			f := newFixture(t)
			grow := func(n int) {
				f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
					SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Completed', gen_random_uuid()::text, '[]', now() FROM generate_series(1, $1::int)`, n)
				f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state) SELECT uuid, id, 1, 'completed' FROM public.imports ON CONFLICT DO NOTHING`)
				f.exec(`INSERT INTO importer.drops (key, path, folder, kind, size, mtime, inode, mark, fingerprint, state, uuid, version)
					SELECT sha256(uuid::bytea), '/data/' || uuid, id, 'manifest', 5, 6, id, id, 1000 + id, 'taken', uuid, 1 FROM public.imports ON CONFLICT DO NOTHING`)
				f.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state) SELECT uuid, 0, '/data/a.tif', 'imported' FROM importer.orders ON CONFLICT DO NOTHING`)
			}
			kept := f.keptOn(func() { grow(had) })
			nobody := tracking.Job{UUID: "nobody's", Run: 1, Agent: agent}
			require.NoError(t, kept.BeginLot(t.Context(), []*tracking.Work{{Job: nobody}}))
			require.NoError(t, kept.FinishLot(t.Context(), []tracking.End{{Job: nobody, Stage: order.Completed}}))
			kept.live(1)

			ofFew := f.reads(kept, func() { kept.live(few) })
			ofLot := f.reads(kept, func() { kept.live(lot) })
			require.Less(t, ofLot, ofFew*lot/few*5/4, "those of one lot")
			grow(more)
			amongMore := f.reads(kept, func() { kept.live(lot) })
			require.Less(t, amongMore, ofLot+more/2, "the others")
		})
	}
}
