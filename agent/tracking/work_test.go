package tracking_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestAttempt_writesEachStageOnceInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	f.exec(`UPDATE public.imports SET description = 'mine', "timestamp" = now() + interval '1 hour' WHERE uuid = $1`, id)
	a := f.claim()[0]
	for range 2 { // the second time is a resumption
		work, err := f.Begin(t.Context(), f.job(id), a)
		require.NoError(t, err)
		require.NoError(t, work.Faulty)
		require.Equal(t, []string{"/data/a.tif", "/data/b.tif"}, work.Order.Files)
		require.Len(t, work.Files, 2)
	}
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Completed}))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed"}, f.stages(id))
	require.Equal(t, []string{"mine"}, f.column(`SELECT DISTINCT description FROM public.imports WHERE uuid = $1`, id))
}

func TestAttempt_describesAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, a := f.begun()
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Failed, Reason: "It is \x00 bad \xff."}))
	st, err := f.Show(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, order.Failed, st.Stage)
	require.Equal(t, "It is \uFFFD bad \uFFFD.", st.Description)
}

func TestBegin_ofARowThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, tc := range []struct{ column, value string }{
		{"files", "not json"},
		{"files", `{"a": 1}`},
		{"files", `[]`},
		{"files", `["/data/a.tif", 7]`},
		{"destination_id", "abc"},
		{"destination_id", "-1"},
		{"destination_type", "Project"},
	} {
		id := f.insert(`["/data/a.tif"]`)
		f.exec(`UPDATE public.imports SET `+tc.column+` = $2 WHERE uuid = $1`, id, tc.value)
		a := f.claim()[0]
		work, err := f.Begin(t.Context(), f.job(id), a)
		require.NoError(t, err, tc.value)
		require.Error(t, work.Faulty, tc.value)
		require.Equal(t, order.Invalid, order.ClassOf(work.Faulty), tc.value)
		require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Failed, Reason: work.Faulty.Error()}))
		require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed"}, f.stages(id), tc.value)
	}
}

func TestWorker_thatLostItsJobChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	a := f.claim()[0]
	job := f.job(id)
	_, err := f.Begin(t.Context(), job, a)
	require.NoError(t, err)
	f.exec(`UPDATE importer.river_job SET attempted_by = attempted_by || 'another'::text`)
	_, err = f.Begin(t.Context(), job, a)
	require.ErrorIs(t, err, tracking.ErrNotMine)
	require.ErrorIs(t, f.SaveFiles(t.Context(), job, id, nil), tracking.ErrNotMine)
	err = f.Finish(t.Context(), job, a, tracking.Outcome{Stage: order.Completed}, func(context.Context, pgx.Tx) error { return nil })
	require.ErrorIs(t, err, tracking.ErrNotMine)
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
}

func TestFinish_isAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, a := f.begun()
	broken := errors.New("the job cannot be ended")
	err := f.Finish(t.Context(), f.job(id), a, tracking.Outcome{Stage: order.Completed}, func(context.Context, pgx.Tx) error { return broken })
	require.ErrorIs(t, err, broken)
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Completed}))
	require.ErrorIs(t, f.end(a, tracking.Outcome{Stage: order.Completed}), tracking.ErrNotMine)
}

func TestRetry_keepsImportedFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	a := f.claim()[0]
	work, err := f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	done, bad := work.Files[0], work.Files[1]
	done.State, done.Filesets, done.Images, done.Plates = tracking.FileImported, []int64{7}, []int64{8, 9}, []int64{}
	bad.State, bad.Reason = tracking.FileFailed, "It is corrupt."
	require.NoError(t, f.SaveFiles(t.Context(), f.job(id), id, []tracking.File{done}))
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Failed, Reason: "1 of 2", Files: []tracking.File{bad}}))
	require.NoError(t, f.Retry(t.Context(), id))
	require.Error(t, f.Retry(t.Context(), id), "it waits already")
	a = f.claim()[0]
	work, err = f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	require.Equal(t, done, work.Files[0])
	require.Equal(t, tracking.FilePending, work.Files[1].State)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed", "Import Pending", "Import Started"}, f.stages(id))
}

func TestRescue_takesOnlyFromTheDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	a := f.claim()[0]
	old := f.job(id)
	hold, err := f.Hold(t.Context(), agent)
	require.NoError(t, err)
	require.NoError(t, hold.Check(t.Context()))
	n, err := f.Rescue(t.Context(), enqueue)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = f.Hold(t.Context(), agent)
	require.ErrorContains(t, err, "holds it already")
	require.NoError(t, hold.Release(t.Context()))
	// The server notices a closed connection in its own time.
	require.Eventually(t, func() bool {
		n, err := f.Rescue(t.Context(), enqueue)
		return err == nil && n == 1
	}, 5*time.Second, 10*time.Millisecond)
	// What the dead agent may still do to its job touches nobody.
	require.NotEqual(t, old.ID, f.job(id).ID)
	require.Equal(t, []string{"cancelled"}, f.column(`SELECT state::text FROM importer.river_job WHERE id = $1`, old.ID))
	_, err = f.Begin(t.Context(), old, a)
	require.ErrorIs(t, err, tracking.ErrNotMine)
	work, err := f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	require.Equal(t, 1, work.Crashes)
}

func TestGiveBack_leavesTheOrderToAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	a := f.claim()[0]
	old := f.job(id)
	_, err := f.Begin(t.Context(), old, a)
	require.NoError(t, err)
	require.NoError(t, f.GiveBack(t.Context(), old, a, enqueue))
	require.ErrorIs(t, f.GiveBack(t.Context(), old, a, enqueue), tracking.ErrNotMine)
	work, err := f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	require.Zero(t, work.Crashes)
}

func TestAttempt_endsThoughItsRowsWereRewritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET "timestamp" = '294276-12-31 23:59:59.999999+00' WHERE uuid = $1`, id)
	a := f.claim()[0]
	_, err := f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	f.exec(`DELETE FROM public.imports WHERE uuid = $1 AND stage = 'Import Pending'`, id)
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Completed}))
	require.ElementsMatch(t, []string{"Import Started", "Import Completed"}, f.stages(id))
}

func TestClaim_waitsForNoClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET "timestamp" = NULL WHERE uuid = $1`, id)
	client, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Rollback(t.Context())) }()
	_, err = client.Exec(t.Context(), `UPDATE public.imports SET description = 'x' WHERE uuid = $1`, id)
	require.NoError(t, err)
	require.Len(t, f.claim(), 1)
}

func TestRequeue_givesAnOrderWithoutJobANewOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	a := f.claim()[0]
	old := f.job(id)
	_, err := f.Begin(t.Context(), old, a)
	require.NoError(t, err)
	n, err := f.Requeue(t.Context(), enqueue)
	require.NoError(t, err)
	require.Zero(t, n)
	f.exec(`UPDATE importer.river_job SET state = 'discarded', finalized_at = now()`)
	n, err = f.Requeue(t.Context(), enqueue)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NotEqual(t, old, f.job(id))
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Completed}))
}
