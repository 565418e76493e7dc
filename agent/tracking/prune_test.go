package tracking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestPrune_forgetsWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	end := func() string {
		w := f.begun()
		done := f.files(w)[0]
		done.State = tracking.FileImported
		require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed, Files: []tracking.File{done}}))
		f.exec(`INSERT INTO importer.requests (uuid, metadata) VALUES ($1, '{}')`, w.Job.UUID)
		return w.Job.UUID
	}
	old, recent := end(), end()
	running := f.begun()
	f.exec(`UPDATE importer.orders SET queued_at = now() - interval '2 days', ended_at = CASE WHEN state = 'running' THEN NULL ELSE now() - interval '1 day' END
		WHERE uuid <> $1`, recent)
	require.Equal(t, 1, f.prune())
	require.ElementsMatch(t, []string{recent, running.Job.UUID}, f.column(`SELECT uuid FROM importer.orders`))
	require.Equal(t, []string{recent}, f.column(`SELECT order_uuid FROM importer.files`))
	require.Equal(t, []string{recent}, f.column(`SELECT uuid FROM importer.requests`))
	require.Len(t, f.stages(old), 3, "what clients see stays")
	require.NoError(t, f.Retry(t.Context(), old, false))
	require.Equal(t, []attempt{{old, 1}}, attempts(f.take()))
}

// prune forgets what ended an hour ago, and returns in how many lots.
func (f fixture) prune() (lots int) {
	f.t.Helper()
	for {
		more, err := f.Prune(f.t.Context(), time.Now().Add(-time.Hour))
		require.NoError(f.t, err)
		if !more {
			return lots
		}
		lots++
	}
}

// A lot is bounded by its files too, and what is not old is not read for it.
func TestPrune_forgetsABoundedLot(t *testing.T) {
	t.Parallel()
	s, err := tracking.Open(t.Context(), trackingtest.URL(t), 1) // one connection, whose statistics are known
	require.NoError(t, err)
	t.Cleanup(s.Close)
	f := fixture{Store: s, t: t}
	f.exec(`ALTER TABLE importer.orders SET (autovacuum_enabled = false); ALTER TABLE importer.files SET (autovacuum_enabled = false)`)
	place := func(name string, orders, files int, age time.Duration) {
		f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state, queued_at, ended_at)
			SELECT $1 || n, n, 1, 'completed', now() - $3::interval + n * interval '1 ms', now() - $3::interval FROM generate_series(1, $2) n`, name, orders, age)
		f.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state) SELECT $1 || n, i, '/data/' || i, 'imported'
			FROM generate_series(1, $2) n, generate_series(0, $3 - 1) i`, name, orders, files)
	}
	read := func() (seq, index int) {
		f.exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, s.Pool().QueryRow(t.Context(), `SELECT sum(seq_tup_read), sum(idx_tup_fetch)
			FROM pg_stat_user_tables WHERE relname IN ('orders', 'files', 'inbox', 'requests')`).Scan(&seq, &index))
		return seq, index
	}
	orders := func() string { return f.column(`SELECT count(*)::text FROM importer.orders WHERE uuid LIKE 'old%'`)[0] }
	place("recent", 50_000, 1, 0)
	for _, statistics := range []bool{false, true} {
		if statistics {
			f.exec(`ANALYZE importer.orders; ANALYZE importer.files`)
		}
		for name, tc := range map[string]struct{ orders, files, lots, most int }{
			"nothing":                       {0, 0, 0, 10},
			"orders without files":          {2500, 0, 3, 6_000},
			"many orders of few files":      {2500, 3, 3, 21_000},
			"few orders of many files":      {10, 3000, 4, 64_000},
			"as many as fit":                {2, 5000, 1, 21_000},
			"orders of more files than fit": {3, 12_000, 3, 67_000},
		} {
			place("old", tc.orders, tc.files, 48*time.Hour)
			seq, index := read()
			require.Equal(t, tc.lots, f.prune(), name)
			seqAfter, indexAfter := read()
			require.Equal(t, seq, seqAfter, "%s, statistics: %t", name, statistics)
			require.Less(t, indexAfter-index, tc.most, "%s, statistics: %t", name, statistics)
			require.Equal(t, "0", orders(), name)
			require.Equal(t, []string{"50000"}, f.column(`SELECT count(*)::text FROM importer.files`), name)
		}
	}
}

func TestViews_sumUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, reason := range []string{`"a.tif" is empty.`, `"b 7.tif" is empty.`, "The format is not known."} {
		require.NoError(t, f.end(tracking.End{Job: f.begun().Job, Stage: order.Failed, Reason: reason}))
	}
	require.NoError(t, f.end(tracking.End{Job: f.begun().Job, Stage: order.Completed}))
	tried := f.begun()
	require.NoError(t, f.PutBack(t.Context(), tried.Job, time.Hour, true, "", nil))
	running := f.begun()
	f.exec(insertPending, running.Job.UUID, "[]")
	require.Empty(t, f.take())
	f.insert("[]")
	require.Equal(t, []string{`2 "…" is empty.`, "1 The format is not known."},
		f.column(`SELECT orders || ' ' || reason FROM importer.failures_by_reason ORDER BY orders DESC`))
	require.Equal(t, []string{"1 completed, 3 failed"},
		f.column(`SELECT sum(completed) || ' completed, ' || sum(failed) || ' failed' FROM importer.throughput_by_hour`))
	require.Equal(t, []string{"Demo ada 6"},
		f.column(`SELECT group_name || ' ' || user_name || ' ' || orders FROM importer.times_by_user WHERE median_wait_seconds >= 0`))
	require.ElementsMatch(t, []string{"queued", "running", "parked", "pending"}, f.column(`SELECT state FROM importer.orders_now`))
}
