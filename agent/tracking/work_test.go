package tracking_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestAttempt_writesEachStageOnceInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	f.exec(`UPDATE public.imports SET description = 'mine', "timestamp" = now() + interval '1 hour' WHERE uuid = $1`, id)
	w := f.take()[0]
	require.NoError(t, w.Faulty)
	require.Equal(t, []string{"/data/a.tif", "/data/b.tif"}, w.Order.Files)
	require.Len(t, f.files(w), 2)
	require.NoError(t, f.PutBack(t.Context(), w.Job, 0, false, "", nil))
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
	require.NoError(t, f.PutBack(t.Context(), works[1].Job, 0, false, "", nil))
	again := f.takeAs("another")[0]
	done := f.files(works[0])[0]
	done.State, done.Images = tracking.FileImported, []int64{1, 2}
	ends := []tracking.End{
		{Job: works[0].Job, Stage: order.Completed, Files: []tracking.File{done}},
		{Job: works[1].Job, Stage: order.Completed},
		{Job: works[2].Job, Stage: order.Failed, Reason: "It is corrupt."},
	}
	errs := make([]error, len(ends))
	var workers sync.WaitGroup
	for i := range ends {
		workers.Go(func() { errs[i] = f.Finish(t.Context(), ends[i]) })
	}
	workers.Wait()
	require.Equal(t, []error{nil, tracking.ErrNotMine, nil}, errs)
	// A run may be counted again after the server lost one.
	stale := again.Job
	stale.Agent = agent
	require.ErrorIs(t, f.end(tracking.End{Job: stale, Stage: order.Completed}), tracking.ErrNotMine)
	require.ErrorIs(t, f.PutBack(t.Context(), stale, 0, false, "", nil), tracking.ErrNotMine)
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
	second := f.files(w)[1]
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
	done, bad := f.files(w)[0], f.files(w)[1]
	done.State, done.Filesets, done.Images, done.Plates = tracking.FileImported, []int64{7}, []int64{8, 9}, []int64{}
	bad.State, bad.Reason = tracking.FileFailed, "It is corrupt."
	require.NoError(t, f.SaveFiles(t.Context(), w.Job, []tracking.File{done}))
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "1 of 2", Files: []tracking.File{bad}}))
	require.NoError(t, f.Retry(t.Context(), id, false))
	require.Error(t, f.Retry(t.Context(), id, false), "it waits already")
	w = f.take()[0]
	files := f.files(w)
	require.Equal(t, done, files[0])
	require.Equal(t, tracking.FilePending, files[1].State)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed", "Import Pending", "Import Started"}, f.stages(id))

	// Listed elsewhere, for somebody else or again, as what it is then.
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "no"}))
	f.exec(insertPending, id, `["/data/c.tif", "/data/a.tif"]`)
	w = f.take()[0]
	require.Equal(t, tracking.FilePending, f.files(w)[0].State)
	require.Equal(t, tracking.FileImported, f.files(w)[1].State)
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "no"}))
	f.exec(insertPending, id, `["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET user_name = 'bob' WHERE uuid = $1`, id)
	require.Equal(t, tracking.FilePending, f.files(f.take()[0])[0].State)
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
	n, err := f.Rescue(t.Context(), []string{agent}, nil)
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
	n, err = f.Rescue(t.Context(), []string{agent}, nil)
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

// The list of very many files is read by the worker, a piece at a time.
func TestEachPath_ofVeryManyFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for i := range 20_000 {
		want = append(want, fmt.Sprintf("/data/é%d.tif", i))
	}
	id := f.insert(order.EncodePaths(want))
	w := f.take()[0]
	require.True(t, w.Long)
	require.Empty(t, w.Order.Files)
	require.Equal(t, want, f.paths(w))
	require.Equal(t, order.ShortNames(want), *w.Names)

	files := f.files(w)
	for i := range files {
		files[i].State = tracking.FileImported
	}
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: files}))
	require.Equal(t, []string{order.ShortNames(want)}, f.column(`SELECT file_names FROM public.imports WHERE uuid = $1 AND stage = 'Import Completed'`, id))
	require.NoError(t, f.Retry(t.Context(), id, false))
	for i, file := range f.files(f.take()[0]) {
		require.Equal(t, tracking.FileImported, file.State, i)
	}
}

func TestEachPath_ofARowThatIsGoneOrBroken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := order.EncodePaths([]string{strings.Repeat("/data", 20_000)})
	f.insert(strings.TrimSuffix(long, "]"))
	gone := f.insert(long)
	works := f.take()
	f.exec(`DELETE FROM public.imports WHERE uuid = $1`, gone)
	for i, want := range []string{"are not JSON", "has been deleted"} {
		err := f.EachPath(t.Context(), works[i], func(string) error { return nil })
		err = cmp.Or(err, works[i].Faulty)
		require.ErrorContains(t, err, want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

// many is the list of an order of n files below a folder.
func many(n int, folder string) string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/data/%s/%060d.tif", folder, i)
	}
	return order.EncodePaths(paths)
}

// A client may change an order of many files between its being taken up and its files
// being read: all of it counts as it is then.
func TestEachPath_isOfTheOrderAsItIsByThen(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"still long": 2000, "short by then": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := f.insert(many(2000, "ada"))
			w := f.take()[0]
			f.exec(`UPDATE public.imports SET user_name = 'bob', destination_id = '7', import_options = 'none', files = $2
				WHERE uuid = $1 AND stage = 'Import Pending'`, id, many(n, "bob"))
			paths := f.paths(w)
			require.Len(t, paths, n)
			require.Contains(t, paths[0], "/data/bob/")
			require.Equal(t, "bob", w.Order.User)
			require.EqualValues(t, 7, w.Order.Destination.ID)
			require.Equal(t, "none", *w.Options)
			require.Contains(t, w.Target, `Dataset 7 for "bob"`)
			require.Equal(t, order.ShortNames(paths), *w.Names)
		})
	}
}

// The limit between lists that come with the order and those that its worker reads.
func TestEachPath_atTheLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for size, long := range map[int]bool{65_536: false, 65_537: true} {
		path := "/data/" + strings.Repeat("x", size-len(`["/data/"]`))
		f.insert(order.EncodePaths([]string{path}))
		w := f.take()[0]
		require.Equal(t, long, w.Long)
		require.Equal(t, []string{path}, f.paths(w))
	}
}

// What cannot be carried out ends with the names of its files, however many it has.
func TestEachPath_namesTheFilesOfAFaultyOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, n := range []int{3, 2000} {
		id := uuid.NewString()
		f.exec(strings.Replace(insertPending, "'151'", "'no number'", 1), id, many(n, "x"))
		w := f.take()[0]
		paths := f.paths(w)
		require.ErrorContains(t, w.Faulty, "no number")
		require.Equal(t, order.ShortNames(paths), *w.Names)
	}
}

func TestKeepFiles_changesNothingOnceTheOrderIsSomebodyElses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w, paths := f.kept()
	f.crash()
	_, err := f.KeepFiles(t.Context(), w, listed(paths[1:]))
	require.ErrorIs(t, err, tracking.ErrNotMine)
	require.Equal(t, []string{"0 /data/a.tif", "1 /data/b.tif"}, f.places())
}

func TestKeepFiles_changesNothingWhereItsListBreaksOff(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	for at := range 3 {
		f := newFixture(t)
		w, paths := f.kept()
		moved := []string{paths[1], paths[0]}
		_, err := f.KeepFiles(t.Context(), w, func(yield func(string, error) bool) {
			for path := range listed(moved[:min(at, 2)]) {
				if !yield(path, nil) {
					return
				}
			}
			yield("", broken)
		})
		require.ErrorIs(t, err, broken)
		require.Equal(t, []string{"0 /data/a.tif", "1 /data/b.tif"}, f.places())
	}
}

// kept is an order taken up again after its two files were imported.
func (f fixture) kept() (w *tracking.Work, paths []string) {
	f.t.Helper()
	paths = []string{"/data/a.tif", "/data/b.tif"}
	f.insert(order.EncodePaths(paths))
	w = f.take()[0]
	files := f.files(w)
	for i := range files {
		files[i].State = tracking.FileImported
	}
	require.NoError(f.t, f.PutBack(f.t.Context(), w.Job, 0, false, "", files))
	return f.take()[0], paths
}

func (f fixture) places() []string {
	f.t.Helper()
	return f.column(`SELECT ordinal || ' ' || path FROM importer.files ORDER BY ordinal`)
}

// However a database encodes texts, a long list is read as a short one is.
func TestEachPath_inOtherEncodings(t *testing.T) {
	t.Parallel()
	server, err := url.Parse(trackingtest.EmptyURL(t))
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), server.String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	for _, encoding := range []string{"UTF8", "LATIN1", "WIN1252", "SQL_ASCII"} {
		name := "paths_" + strings.ToLower(encoding)
		_, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE DATABASE %s TEMPLATE template0 ENCODING '%s' LC_COLLATE 'C' LC_CTYPE 'C'`, name, encoding))
		require.NoError(t, err)
		at := *server
		at.Path = "/" + name
		require.NoError(t, tracking.Migrate(t.Context(), at.String(), slog.New(slog.DiscardHandler)))
		store, err := tracking.Open(t.Context(), at.String(), 4)
		require.NoError(t, err)
		f := fixture{Store: store, t: t}
		for _, n := range []int{1, 5000} {
			path := "/data/\u00e9\u00c1.tif"
			f.insert(`["` + path + `"` + strings.Repeat(`, "`+path+`"`, n-1) + `]`) // as it is, without escapes
			paths := f.paths(f.takeOnly(agent)[0])
			require.Len(t, paths, n)
			require.Equal(t, path, paths[n-1], encoding)
		}
		store.Close()
		_, err = conn.Exec(t.Context(), `DROP DATABASE `+name+` WITH (FORCE)`)
		require.NoError(t, err)
	}
}

// What else is in the row of a long list is read once.
func TestEachPath_besideALongDescription(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(many(50_000, "x"))
	f.exec(`UPDATE public.imports SET description = repeat('y', 5000000) WHERE uuid = $1`, id)
	w := f.take()[0]
	require.Len(t, f.paths(w), 50_000)
	require.Len(t, w.Order.Description, 5_000_000)
}
