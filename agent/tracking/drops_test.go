package tracking_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func newOrder(files ...string) tracking.NewOrder {
	return tracking.NewOrder{Order: order.Order{
		UUID: uuid.NewString(), Group: "Demo", User: "ada", Files: files,
		Destination: order.Destination{Type: order.Dataset, ID: 7},
	}}
}

func TestPlace_recordsDropsAndTheirOrderTogether(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := newOrder("/data/a.tif")
	d := tracking.Drop{Path: "/data/a.tif", Kind: tracking.DropFile, Size: 5, ModTime: 6, State: tracking.DropTaken, UUID: o.UUID}
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{d}, []tracking.NewOrder{o}))
	require.ErrorIs(t, f.Place(t.Context(), []tracking.Drop{d}, []tracking.NewOrder{newOrder("/data/a.tif")}), tracking.ErrDropChanged)
	require.Equal(t, []attempt{{o.UUID, 1}}, attempts(f.take()))

	found, err := f.Drops(t.Context(), []string{"/data/a.tif", "/data/b.tif"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	got := found["/data/a.tif"]
	require.Equal(t, 1, got.Version)
	require.Equal(t, o.UUID, got.UUID)

	got.State, got.Size = tracking.DropRefused, 9
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{got}, nil))
	require.ErrorIs(t, f.Place(t.Context(), []tracking.Drop{got}, nil), tracking.ErrDropChanged, "its version is stale by now")
}

func TestPlace_takesPathsOfAnyKind(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"/data/\xff.tif", "/data/" + strings.Repeat("x", 4000), "/data/new\nline"} {
		d := tracking.Drop{Path: path, Kind: tracking.DropFile, State: tracking.DropRefused, Reason: "bad \xff"}
		require.NoError(t, f.Place(t.Context(), []tracking.Drop{d}, nil))
		found, err := f.Drops(t.Context(), []string{path})
		require.NoError(t, err)
		require.Contains(t, found, path)
	}
}

func TestPlace_refusesAChosenUUIDThatIsTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := newOrder("/data/a.tif")
	o.ChosenUUID = true
	require.NoError(t, f.Submit(t.Context(), o))
	d := tracking.Drop{Path: "/data/x.order.yml", Kind: tracking.DropManifest, State: tracking.DropTaken, UUID: o.UUID}
	require.ErrorIs(t, f.Place(t.Context(), []tracking.Drop{d}, []tracking.NewOrder{o}), tracking.ErrUUIDTaken)
	found, err := f.Drops(t.Context(), []string{d.Path})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestSubmit_keepsTheConverter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := newOrder("/data/a b.tif", `/data/c"d.tif`)
	o.Converter = &order.Converter{
		Container: "lab/convert:v1", InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out",
		Params: map[string]any{"n": 1, "deep": map[string]any{"x": []any{true, nil}}},
	}
	require.NoError(t, f.Submit(t.Context(), o))
	work := f.take()[0]
	require.NoError(t, work.Faulty)
	require.Equal(t, o.Files, work.Order.Files)
	require.Equal(t, "lab/convert:v1", work.Order.Converter.Container)
	require.Equal(t, "/out", work.Order.Converter.AltOutputFolder)
	require.Contains(t, work.Order.Converter.Params, "deep")
}

func TestReport_tellsEachChangeOfAManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var told []tracking.Report
	var full error
	tell := func(_ context.Context, r tracking.Report) error {
		told = append(told, r)
		return full
	}
	next := func() tracking.Report {
		t.Helper()
		told = nil
		n, err := f.Report(t.Context(), tell)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Len(t, told, 1)
		n, err = f.Report(t.Context(), tell)
		require.NoError(t, err)
		require.Zero(t, n)
		return told[0]
	}
	m := tracking.Drop{Path: "/data/x.order.yml", Kind: tracking.DropManifest, State: tracking.DropWaiting}
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{m}, nil))
	n, err := f.Report(t.Context(), tell)
	require.NoError(t, err)
	require.Zero(t, n, "a waiting manifest has nothing to tell")

	m.Version, m.State, m.Reason = 1, tracking.DropRefused, "It is wrong."
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{m}, nil))
	full = errors.New("no space left")
	n, err = f.Report(t.Context(), tell)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	full = nil
	n, err = f.Report(t.Context(), tell)
	require.NoError(t, err)
	require.Zero(t, n, "it is tried again later")
	f.exec(`UPDATE importer.reports SET due_at = now()`)
	require.Equal(t, "It is wrong.", next().Reason)

	o := newOrder("/data/a.tif")
	m.Version, m.State, m.Reason, m.UUID = 2, tracking.DropTaken, "", o.UUID
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{m}, []tracking.NewOrder{o}))
	require.Equal(t, order.Pending, next().Status.Stage)
	w := f.take()[0]
	require.Equal(t, order.Started, next().Status.Stage)
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	require.Equal(t, order.Completed, next().Status.Stage)
}

func TestReport_isTriedForAWeek(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.Place(t.Context(), []tracking.Drop{{Path: "/data/order.yml", Kind: tracking.DropManifest, State: tracking.DropRefused}}, nil))
	away := func(context.Context, tracking.Report) error { return errors.New("the share is away") }
	var tried, pause time.Duration
	for {
		n, err := f.Report(t.Context(), away)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		var seconds *float64
		require.NoError(t, f.Pool().QueryRow(t.Context(), `SELECT max(extract(epoch FROM due_at - now())) FROM importer.reports`).Scan(&seconds))
		if seconds == nil {
			break
		}
		pause = time.Duration(*seconds * float64(time.Second))
		require.LessOrEqual(t, pause, time.Hour)
		tried += pause
		_, err = f.Pool().Exec(t.Context(), `UPDATE importer.reports SET due_at = now()`)
		require.NoError(t, err)
	}
	require.InDelta(t, 7*24, tried.Hours(), 2)
}

func TestRecent_isNewestFirstAndIncludesWaitingOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	taken := f.insert(`["/data/a.tif"]`)
	f.take()
	waiting := f.insert(`["/data/b.tif"]`)
	list, err := f.Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, waiting, list[0].UUID)
	require.Zero(t, list[0].Attempt)
	require.Equal(t, taken, list[1].UUID)
	_, err = f.Show(t.Context(), "nobody")
	require.Equal(t, order.Invalid, order.ClassOf(err))
}

// Of several that choose one uuid at the same time, one gets it.
func TestSubmit_aChosenUUIDOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := newOrder("/data/a.tif")
	o.ChosenUUID = true
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = f.Submit(t.Context(), o) })
	}
	all.Wait()
	placed := 0
	for _, err := range errs {
		if err == nil {
			placed++
			continue
		}
		require.ErrorIs(t, err, tracking.ErrUUIDTaken)
	}
	require.Equal(t, 1, placed)
	require.Len(t, f.stages(o.UUID), 1)
}
