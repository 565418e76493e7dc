package tracking_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestAttempt_writesEachStageOnceInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	f.exec(`UPDATE public.imports SET description = 'mine', "timestamp" = now() + interval '1 hour' WHERE uuid = $1`, id)
	w := f.take()[0]
	require.NoError(t, w.Faulty)
	require.Equal(t, []string{"/data/a.tif", "/data/b.tif"}, w.Order.Files)
	require.Len(t, w.Files, 2)
	require.NoError(t, f.PutBack(t.Context(), w.Job, 0, false, nil))
	w = f.take()[0] // resumed
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed"}, f.stages(id))
	require.Equal(t, []string{"mine"}, f.column(`SELECT DISTINCT description FROM public.imports WHERE uuid = $1`, id))
}

func TestAttempt_describesAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "It is \x00 bad \xff."}))
	st, err := f.Show(t.Context(), w.Job.UUID)
	require.NoError(t, err)
	require.Equal(t, order.Failed, st.Stage)
	require.Equal(t, "It is \uFFFD bad \uFFFD.", st.Description)
}

func TestTake_aRowThatCannotBeUnderstood(t *testing.T) {
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
		good := f.insert(`["/data/a.tif"]`)
		works := f.take()
		require.Len(t, works, 2, "no other order is disturbed")
		require.NoError(t, works[1].Faulty)
		require.NoError(t, f.end(tracking.End{Job: works[1].Job, Stage: order.Completed}), good)
		require.Error(t, works[0].Faulty, tc.value)
		require.Equal(t, order.Invalid, order.ClassOf(works[0].Faulty), tc.value)
		require.NoError(t, f.end(tracking.End{Job: works[0].Job, Stage: order.Failed, Reason: works[0].Faulty.Error()}))
		require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed"}, f.stages(id), tc.value)
	}
}

func TestFinish_endsManyAndLeavesThoseOfOthersAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mine, lost, bad := f.insert(`["/data/a.tif"]`), f.insert(`["/data/b.tif"]`), f.insert(`["/data/c.tif"]`)
	works := f.take()
	require.Len(t, works, 3)
	require.NoError(t, f.PutBack(t.Context(), works[1].Job, 0, false, nil))
	again := f.takeAs("another")[0]
	done := works[0].Files[0]
	done.State, done.Images = tracking.FileImported, []int64{1, 2}
	ends := []tracking.End{
		{Job: works[0].Job, Stage: order.Completed, Files: []tracking.File{done}},
		{Job: works[1].Job, Stage: order.Completed},
		{Job: works[2].Job, Stage: order.Failed, Reason: "It is corrupt."},
	}
	errs := make([]error, len(ends))
	var workers sync.WaitGroup
	for i := range ends {
		workers.Go(func() { errs[i] = f.Finish(t.Context(), ends[i], nil) })
	}
	workers.Wait()
	require.Equal(t, []error{nil, tracking.ErrNotMine, nil}, errs)
	// A run may be counted again after the server lost one.
	stale := again.Job
	stale.Agent = agent
	require.ErrorIs(t, f.end(tracking.End{Job: stale, Stage: order.Completed}), tracking.ErrNotMine)
	require.ErrorIs(t, f.PutBack(t.Context(), stale, 0, false, nil), tracking.ErrNotMine)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed"}, f.stages(mine))
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(lost))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed"}, f.stages(bad))
	require.ErrorIs(t, f.SaveFiles(t.Context(), works[1].Job, nil), tracking.ErrNotMine)
	require.NoError(t, f.SaveFiles(t.Context(), again.Job, nil))
	require.ErrorIs(t, f.end(ends[0]), tracking.ErrNotMine, "it has ended")
	st, err := f.Show(t.Context(), mine)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2}, st.Files[0].Images)
}

func TestShow_namesFilesThatNobodyHasDecidedOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	w := f.take()[0]
	second := w.Files[1]
	second.State, second.Reason = tracking.FileFailed, "It is corrupt."
	require.NoError(t, f.SaveFiles(t.Context(), w.Job, []tracking.File{second}))
	st, err := f.Show(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, st.Files, 2)
	require.Equal(t, tracking.File{Path: "/data/a.tif", State: tracking.FilePending}, st.Files[0])
	require.Equal(t, "It is corrupt.", st.Files[1].Reason)
}

func TestRetry_keepsImportedFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	w := f.take()[0]
	done, bad := w.Files[0], w.Files[1]
	done.State, done.Filesets, done.Images, done.Plates = tracking.FileImported, []int64{7}, []int64{8, 9}, []int64{}
	bad.State, bad.Reason = tracking.FileFailed, "It is corrupt."
	require.NoError(t, f.SaveFiles(t.Context(), w.Job, []tracking.File{done}))
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "1 of 2", Files: []tracking.File{bad}}))
	require.NoError(t, f.Retry(t.Context(), id, false))
	require.Error(t, f.Retry(t.Context(), id, false), "it waits already")
	w = f.take()[0]
	require.Equal(t, done, w.Files[0])
	require.Equal(t, tracking.FilePending, w.Files[1].State)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed", "Import Pending", "Import Started"}, f.stages(id))

	// Listed elsewhere, for somebody else or again, as what it is then.
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "no"}))
	f.exec(insertPending, id, `["/data/c.tif", "/data/a.tif"]`)
	w = f.take()[0]
	require.Equal(t, tracking.FilePending, w.Files[0].State)
	require.Equal(t, tracking.FileImported, w.Files[1].State)
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "no"}))
	f.exec(insertPending, id, `["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET user_name = 'bob' WHERE uuid = $1`, id)
	require.Equal(t, tracking.FilePending, f.take()[0].Files[0].State)
}

func TestRescue_takesOnlyFromTheDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	hold, err := f.Hold(t.Context(), agent)
	require.NoError(t, err)
	require.NoError(t, hold.Check(t.Context()))
	dead, err := f.Dead(t.Context())
	require.NoError(t, err)
	require.Empty(t, dead)
	n, err := f.Rescue(t.Context(), []string{agent})
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = f.Hold(t.Context(), agent)
	require.ErrorContains(t, err, "holds it already")
	require.NoError(t, hold.Release(t.Context()))
	// The server notices a closed connection in its own time.
	require.Eventually(t, func() bool {
		dead, err := f.Dead(t.Context())
		return err == nil && len(dead) == 1 && dead[0] == agent
	}, 5*time.Second, 10*time.Millisecond)
	n, err = f.Rescue(t.Context(), []string{agent})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	again := f.takeAs("another")
	require.Len(t, again, 1)
	require.Equal(t, 1, again[0].Crashes)
	// What the dead agent may still do touches nobody.
	require.ErrorIs(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}), tracking.ErrNotMine)
	require.NoError(t, f.end(tracking.End{Job: again[0].Job, Stage: order.Completed}))
}

func TestAttempt_endsThoughItsRowsWereRewritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET "timestamp" = '294276-12-31 23:59:59.999999+00' WHERE uuid = $1`, id)
	w := f.take()[0]
	f.exec(`DELETE FROM public.imports WHERE uuid = $1 AND stage = 'Import Pending'`, id)
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	require.ElementsMatch(t, []string{"Import Started", "Import Completed"}, f.stages(id))
}
