package tracking_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
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

// history makes so many orders that have ended, a minute apart, with all there is of one.
func (f fixture) history(orders int) {
	f.t.Helper()
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
		SELECT 'Demo', CASE WHEN n % 2 = 0 THEN 'ada' ELSE 'user' || n % 100 END, '1', 'Dataset', 'Import Completed', gen_random_uuid()::text, '[]', now() - n * interval '1 minute'
		FROM generate_series(1, $1::int) n`, orders)
	for _, sql := range []string{
		`INSERT INTO importer.orders (uuid, import_id, attempt, state, run, group_name, user_name, queued_at, started_at, ended_at)
		 SELECT uuid, id, 1, 'completed', 1, group_name, user_name, "timestamp", "timestamp", "timestamp"
		 FROM public.imports WHERE stage = 'Import Completed' ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.requests (uuid) SELECT uuid FROM importer.orders ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.files (order_uuid, ordinal, path, state) SELECT uuid, 0, '/data/a.tif', 'imported' FROM importer.orders ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.conversions (order_uuid, ordinal, attempt, path) SELECT uuid, 0, 1, '/data/a.tif' FROM importer.orders ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.progress (uuid, run, step, files_done, files_total, bytes_done, bytes_total, began_at, updated_at)
		 SELECT uuid, 1, 'importing', 1, 1, 1, 1, now(), now() FROM importer.orders ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, link, container_type, container_id)
		 SELECT nextval('importer.repository_ids'), uuid, sha256(uuid::bytea), '/data/a.tif', uuid || '/a.tif', 'Dataset', 1 FROM importer.orders ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.drops (key, path, folder, kind, size, mtime, inode, mark, fingerprint, state, uuid, version)
		 SELECT sha256(uuid::bytea), '/data/' || uuid, id, 'manifest', 5, 6, id, id, id, CASE WHEN id % 50 = 0 THEN 'refused' ELSE 'taken' END, uuid, 1
		 FROM public.imports WHERE stage = 'Import Completed' ON CONFLICT DO NOTHING`,
		`INSERT INTO importer.reports (drop_key, due_at) SELECT key, now() + interval '1 hour' FROM importer.drops`,
		`INSERT INTO importer.deliveries (target, uuid, attempt, stage, group_name, user_name, destination_type, destination_id, reason,
			files_imported, files_failed, queued_at, ended_at, state, due_at)
		 SELECT t.name, uuid, 1, 'Import Completed', group_name, t.whose, 'Dataset', '1', '', 1, 0, queued_at, ended_at - t.ago, t.state, now() + t.due
		 FROM importer.orders, (VALUES
		     ('hook', 'ada', 'delivered', interval '0', NULL), ('single', 'ada', 'given_up', interval '1 year', NULL),
		     ('mail', 'eve', 'due', interval '1 year', interval '1 hour'), ('gone', 'ada', 'due', interval '1 year', interval '0')
		 ) t (name, whose, state, ago, due)
		 WHERE importer.orders.state = 'completed' ON CONFLICT DO NOTHING`,
	} {
		f.exec(sql)
	}
}

// queue makes so many orders each that wait for their turn, their own end, room at their
// destination and their next try.
func (f fixture) queue(orders int) {
	f.t.Helper()
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
		SELECT 'Lab', 'user' || n % 50, '7', 'Dataset', 'Import Pending', overlay(gen_random_uuid()::text PLACING kind FROM 1), '[]', now() - n * interval '1 minute'
		FROM generate_series(1, $1::int) n, unnest(ARRAY['turn', 'ends', 'room', 'time']) kind`, orders)
	f.exec(`UPDATE importer.inbox SET parked = true, held = starts_with(uuid, 'room') WHERE uuid ~ '^(ends|room)'`)
	f.exec(`WITH later AS (DELETE FROM importer.inbox WHERE starts_with(uuid, 'time') RETURNING uuid, import_id, user_name)
		INSERT INTO importer.orders (uuid, import_id, attempt, state, group_name, user_name, due_at)
		SELECT uuid, import_id, 1, 'queued', 'Lab', user_name, now() + interval '1 hour' FROM later`)
	f.exec(`INSERT INTO importer.held_turns (destination, group_name, user_name) SELECT 'elsewhere ' || n, 'Lab', 'eve' FROM generate_series(1, $1::int) n ON CONFLICT DO NOTHING`, orders)
}

// adas are the orders that insert places.
var adas = []tracking.Share{{Group: "Demo", User: "ada", Count: 1000}}

// meter tells what is read by one session while it does something.
type meter struct {
	fixture         // of the session that is measured
	others  fixture // the same store, of other sessions
	read    map[string]int
}

func (m meter) do(name string, what func()) { m.read[name] += m.others.reads(m.fixture, what) }

// drops has manifests noticed, recorded, looked up, changed and reported on.
func (m meter) drops(manifests int) {
	m.t.Helper()
	drops := make([]tracking.Drop, manifests)
	paths, folders := make([]string, manifests), make([]string, manifests)
	for i := range drops {
		folders[i] = "/data/" + uuid.NewString()
		paths[i] = folders[i] + "/order.yml"
		drops[i] = tracking.Drop{Path: paths[i], Kind: tracking.DropManifest, Fingerprint: uint64(i) + 1<<40, State: tracking.DropTaken, UUID: paths[i]}
	}
	place := func() { require.NoError(m.t, m.Place(m.t.Context(), drops, nil)) }
	m.do("dropping", place)
	m.do("recognising", func() {
		found, err := m.Drops(m.t.Context(), paths)
		require.NoError(m.t, err)
		require.Len(m.t, found, manifests)
		_, err = m.Known(m.t.Context(), folders)
		require.NoError(m.t, err)
		_, err = m.Originals(m.t.Context(), drops)
		require.NoError(m.t, err)
	})
	for i := range drops {
		drops[i].Version, drops[i].Changed = 1, true
	}
	m.do("changing", place)
	for _, fault := range []error{errors.New("the share is away"), nil} {
		m.others.exec(`UPDATE importer.reports SET due_at = now() - id * interval '1 microsecond' WHERE due_at < now() + interval '1 minute'`)
		m.do("reporting", func() {
			for range (2*manifests + tracking.ReportsAtOnce - 1) / tracking.ReportsAtOnce { // until none is due, but for those that are due again by then
				_, err := m.Report(m.t.Context(), func(context.Context, tracking.Report) error { return fault })
				require.NoError(m.t, err)
			}
		})
	}
}

// orders has so many orders taken up, begun, tried again, rescued, given back, held back,
// imported, ended, told of, asked for again, cancelled, shown and forgotten.
func (m meter) orders(n int) {
	m.t.Helper()
	ids := make([]string, n)
	m.do("placing", func() {
		for i := range ids {
			ids[i] = m.insert(`["/data/a.tif", "/data/b.tif"]`)
		}
	})
	var works []*tracking.Work
	take := func(name string, shares []tracking.Share) {
		m.do(name, func() {
			var err error
			works, _, err = m.Take(m.t.Context(), tracking.Agent{Name: agent}, n, shares)
			require.NoError(m.t, err)
		})
		require.Len(m.t, works, n)
	}
	begin := func() { m.do("beginning", func() { require.NoError(m.t, m.BeginLot(m.t.Context(), works)) }) }
	each := func(name string, does func(w *tracking.Work) error) {
		m.do(name, func() {
			for _, w := range works {
				require.NoError(m.t, does(w))
			}
		})
	}
	end := func(stage order.Stage, reason string) {
		m.do("ending", func() {
			ends := make([]tracking.End, n)
			for i, w := range works {
				ends[i] = tracking.End{Job: w.Job, Stage: stage, Reason: reason, Names: w.Names}
			}
			require.NoError(m.t, m.FinishLot(m.t.Context(), ends))
		})
	}

	take("taking up", adas)
	begin()
	each("putting back", func(w *tracking.Work) error { return m.PutBack(m.t.Context(), w.Job, 0, true, "", nil) })
	take("taking up again", nil)
	begin()
	m.do("rescuing", func() { _, err := m.Rescue(m.t.Context(), []string{agent}, nil); require.NoError(m.t, err) })
	take("taking up again", nil)
	m.do("giving back", func() { require.NoError(m.t, m.GiveBack(m.t.Context(), []string{agent})) })
	take("taking up again", nil)
	begin()
	each("working", func(w *tracking.Work) error {
		return cmp.Or(m.SaveMark(m.t.Context(), w, "mark"), m.Preprocessing(m.t.Context(), w), m.SaveConversion(m.t.Context(), w, tracking.Conversion{Result: "[]"}),
			m.SaveOutput(m.t.Context(), w.Job, []string{"done"}), m.SaveProgress(m.t.Context(), w.Job, tracking.Progress{}), m.Recorded(m.t.Context(), w))
	})
	each("importing", func(w *tracking.Work) error { return m.SaveFiles(m.t.Context(), w.Job, m.imported(w)) })
	m.do("asking again", func() {
		for _, id := range ids {
			m.exec(setBack+` AND stage = 'Import Started'`, id)
		}
		works, _, err := m.Take(m.t.Context(), tracking.Agent{Name: agent}, n, adas)
		require.NoError(m.t, err)
		require.Empty(m.t, works, "they wait for their orders' ends")
	})
	end(order.Completed, "")
	m.do("telling together", func() {
		require.NoError(m.t, m.Settle(m.t.Context(), m.claim("mail", true), tracking.DeliveryMade, 0, ""))
	})
	m.do("telling", func() {
		for lot := m.claim("hook", false); len(lot) > 0; lot = m.claim("hook", false) {
			require.NoError(m.t, m.Settle(m.t.Context(), lot, tracking.DeliveryMade, 0, ""))
		}
	})
	take("taking up", adas)
	begin()
	end(order.Failed, "It is corrupt.")
	each("asking for it", func(w *tracking.Work) error {
		return cmp.Or(m.Retry(m.t.Context(), w.Job.UUID, false), m.Cancel(m.t.Context(), w.Job.UUID), m.Retry(m.t.Context(), w.Job.UUID, true), m.Cancel(m.t.Context(), w.Job.UUID))
	})
	each("showing", func(w *tracking.Work) error { _, err := m.Show(m.t.Context(), w.Job.UUID); return err })
	m.others.exec(`UPDATE importer.orders SET queued_at = now() - interval '1 year', ended_at = now() - interval '1 year' WHERE uuid = ANY ($1)`, ids)
	m.do("forgetting", func() { _, err := m.Prune(m.t.Context(), time.Now().AddDate(0, -6, 0)); require.NoError(m.t, err) })

	for range n {
		m.insert(`["/data/a.tif"]`)
	}
	limited := tracking.Agent{Name: agent, PerDestination: 7}
	m.do("holding back", func() {
		for ended := 0; ended < n; {
			_, err := m.Release(m.t.Context(), limited)
			require.NoError(m.t, err)
			works, _, err := m.Take(m.t.Context(), limited, 1, adas)
			require.NoError(m.t, err)
			m.begin(works)
			m.endAll(works...)
			ended += len(works)
		}
	})
}

// The server keeps its plans, however few rows there were when it made them, while tables
// grow. What is done with an order reads neither all the others nor those it shares a
// transaction with; nor does a list read more than it shows.
func TestStore_readsItsOrdersAlone(t *testing.T) {
	t.Parallel()
	const more, few, lot = 20_000, 20, 80
	most := map[string]int{
		"counts": 5 * more, "depth": 4 * tracking.MaxDepth, "who has room": 25_000, "due for nobody": 25_000, "too old": 15_000, // by their bounds
		"links nobody has": 3 * more, // reads all, as documented
	}
	for name, had := range map[string]struct{ ended, waiting int }{
		"nothing": {}, "one order": {1, 1}, "a page": {50, 50}, "what has ended": {more, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.history(had.ended)
			f.queue(had.waiting)
			f.tell(tracking.Target{Name: "hook", Stages: bothStages}, tracking.Target{Name: "mail", Stages: bothStages}, tracking.Target{Name: "single", Stages: bothStages})
			f.exec(`VACUUM ANALYZE`)
			store, err := tracking.Open(t.Context(), f.Pool().Config().ConnString()+"&application_name="+keptSession, 1)
			require.NoError(t, err)
			t.Cleanup(store.Close)
			kept := fixture{Store: store, t: t}
			nobody := tracking.Job{UUID: "nobody's", Run: 1, Agent: agent}
			require.NoError(t, kept.BeginLot(t.Context(), []*tracking.Work{{Job: nobody}}))
			require.NoError(t, kept.FinishLot(t.Context(), []tracking.End{{Job: nobody, Stage: order.Completed}}))
			id := f.insert(`["/data/a.tif"]`)
			_, _, err = f.Take(t.Context(), tracking.Agent{Name: "another"}, 0, adas)
			require.NoError(t, err)
			looks := kept.looks(id)
			for name, look := range looks {
				require.NoError(t, look(t.Context()), name)
			}
			reads := func(n int) map[string]int {
				m := meter{kept, f, map[string]int{}}
				m.drops(n)
				m.orders(n)
				return m.read
			}
			reads(1)
			ofFew, ofLot := reads(few), reads(lot)
			f.history(more)
			f.queue(more)
			amongMore := reads(lot)
			for name, read := range ofLot {
				require.LessOrEqual(t, read, ofFew[name]*lot/few*5/4+40, "%s: those of one transaction", name)
				require.LessOrEqual(t, amongMore[name], read+more/20, "%s: the others", name)
			}
			for _, name := range slices.Sorted(maps.Keys(looks)) { // some change what others look at
				read := f.reads(kept, func() { require.NoError(t, looks[name](t.Context()), name) })
				require.LessOrEqual(t, read, max(most[name], few*200), name)
			}
		})
	}
}
