package tracking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestPrune_forgetsWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	end := func() string {
		w := f.begun()
		done := w.Files[0]
		done.State = tracking.FileImported
		require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed, Files: []tracking.File{done}}))
		f.exec(`INSERT INTO importer.requests (uuid, metadata) VALUES ($1, '{}')`, w.Job.UUID)
		return w.Job.UUID
	}
	old, recent := end(), end()
	running := f.begun()
	f.exec(`UPDATE importer.orders SET queued_at = now() - interval '2 days', ended_at = CASE WHEN state = 'running' THEN NULL ELSE now() - interval '1 day' END
		WHERE uuid <> $1`, recent)
	more, err := f.Prune(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.False(t, more)
	require.ElementsMatch(t, []string{recent, running.Job.UUID}, f.column(`SELECT uuid FROM importer.orders`))
	require.Equal(t, []string{recent}, f.column(`SELECT order_uuid FROM importer.files`))
	require.Equal(t, []string{recent}, f.column(`SELECT uuid FROM importer.requests`))
	require.Len(t, f.stages(old), 3, "what clients see stays")
	require.NoError(t, f.Retry(t.Context(), old, false))
	require.Equal(t, []attempt{{old, 1}}, attempts(f.take()))
}

func TestViews_sumUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, reason := range []string{`"a.tif" is empty.`, `"b 7.tif" is empty.`, "The format is not known."} {
		require.NoError(t, f.end(tracking.End{Job: f.begun().Job, Stage: order.Failed, Reason: reason}))
	}
	require.NoError(t, f.end(tracking.End{Job: f.begun().Job, Stage: order.Completed}))
	tried := f.begun()
	require.NoError(t, f.PutBack(t.Context(), tried.Job, time.Hour, true, nil))
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
