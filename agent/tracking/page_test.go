package tracking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// Of a million orders, one of which has 100,000 files, and 200,000 drops, what the status
// page asks for is along indexes, and as much as is shown.
func TestPage_ofAMillionOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.million()
	const id = "000dbba0-0000-4000-8000-000000000000" // the last but a few to be carried out
	for _, sql := range []string{
		`INSERT INTO importer.files (order_uuid, ordinal, path, state)
		 SELECT '` + id + `', n, '/data/' || n, CASE WHEN n = 99999 THEN 'failed' ELSE 'imported' END FROM generate_series(0, 99999) n`,
		`INSERT INTO importer.files (order_uuid, ordinal, path, state) SELECT uuid, 0, '/data/a.tif', 'imported' FROM importer.orders WHERE import_id <= 100000`,
		`INSERT INTO importer.drops (key, path, kind, size, mtime, inode, state, version)
		 SELECT sha256(n::text::bytea), '/data/' || n, 'file', 1, 1, 1, CASE WHEN n % 50 = 0 THEN 'refused' ELSE 'taken' END, 1 FROM generate_series(1, 200000) n`,
		`ANALYZE importer.files, importer.drops`,
	} {
		f.exec(sql)
	}
	most := map[string]float64{"an hour": 4000, "tally": tracking.MaxFilesLooked, "counts": 100_000}
	for name, query := range tracking.PageQueries(id, time.Now().Add(-500_000*time.Second)) {
		said := f.keptPlan("ANALYZE, BUFFERS", query)
		said.Plan.each(func(p plan) {
			require.LessOrEqual(t, p.Rows*p.Loops, max(most[name], 1000), "%s: %s %s", name, p.Type, p.Relation)
			if p.Relation != "" && p.Relation != "progress" {
				require.NotEqual(t, "Seq Scan", p.Type, "%s: %s", name, p.Relation)
			}
		})
		require.Less(t, said.Plan.Hit+said.Plan.Read, 5000, name) // of 8 KB: more takes longer than 50 ms where disks are slow
		t.Logf("%-12s %5.1f ms; %d buffers, %.0f rows", name, said.Took, said.Plan.Hit+said.Plan.Read, said.Plan.Rows)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ended := f.ended("Demo", "ada", order.Completed)
	long := f.ended("Demo", "ada", order.Failed)
	f.exec(`UPDATE importer.orders SET ended_at = ended_at - interval '1 hour' WHERE uuid = $1`, long)
	runs := f.place("Demo", "ada", "[]", "")
	f.take()
	waits := f.place("Demo", "ada", "[]", "")
	changed := func(also ...string) (ids []string) {
		found, err := f.Changed(t.Context(), time.Minute, also, 10, 10)
		require.NoError(t, err)
		for i := range found {
			ids = append(ids, found[i].UUID)
		}
		return ids
	}
	require.ElementsMatch(t, []string{ended, runs, waits}, changed())
	require.ElementsMatch(t, []string{ended, runs, waits, long}, changed(long, runs, "unknown"))
}

func TestHour(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 4 {
		stage := order.Completed
		if i == 3 {
			stage = order.Failed
		}
		id := f.ended("Demo", "ada", stage)
		f.exec(`UPDATE importer.orders SET queued_at = '2026-01-01 10:00+00', started_at = '2026-01-01 10:00+00'::timestamptz + $2 * interval '1 minute',
			ended_at = '2026-01-01 11:30+00' WHERE uuid = $1`, id, i)
	}
	f.ended("Demo", "ada", order.Completed)
	eleven, err := time.Parse(time.DateTime, "2026-01-01 11:00:00")
	require.NoError(t, err)
	hour, err := f.Hour(t.Context(), eleven)
	require.NoError(t, err)
	require.Equal(t, tracking.Hour{Completed: 3, Failed: 1, Wait: 90 * time.Second, SlowWait: 171 * time.Second, Run: 88*time.Minute + 30*time.Second}, hour)
	hour, err = f.Hour(t.Context(), eleven.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, tracking.Hour{}, hour)
}

func TestFilePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a", "/data/b", "/data/c"]`)
	works := f.take()
	require.NoError(t, f.SaveFiles(t.Context(), works[0].Job, []tracking.File{{Ordinal: 1, Path: "/data/b", State: tracking.FileFailed, Reason: "It is empty."}}))
	page := func(id string, state tracking.FileState, from, limit int) (list []string, next int) {
		p, err := f.FilePage(t.Context(), id, state, from, limit)
		require.NoError(t, err)
		for _, file := range p.Files {
			list = append(list, file.Path+" "+string(file.State))
		}
		return list, p.Next
	}
	all, next := page(id, "", 0, 2)
	require.Equal(t, []string{"/data/a pending", "/data/b failed"}, all)
	require.Equal(t, 2, next)
	all, next = page(id, "", next, 2)
	require.Equal(t, []string{"/data/c pending"}, all)
	require.Zero(t, next)
	failed, next := page(id, tracking.FileFailed, 0, 2)
	require.Equal(t, []string{"/data/b failed"}, failed)
	require.Zero(t, next)
	for _, files := range []string{"not JSON", `["/data/a", 7]`, "[]"} {
		none, _ := page(f.insert(files), "", 0, 1)
		require.LessOrEqual(t, len(none), 1, files)
	}
	none, _ := page("unknown", "", 0, 2)
	require.Empty(t, none)
	// Further than is looked at for one page.
	f.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state) VALUES ($1, $2, '/data/far', 'failed')`, id, tracking.MaxFilesLooked+5)
	failed, next = page(id, tracking.FileFailed, 2, 2)
	require.Empty(t, failed)
	failed, next = page(id, tracking.FileFailed, next, 2)
	require.Equal(t, []string{"/data/far failed"}, failed)
	require.Zero(t, next)
	f.exec(`DELETE FROM importer.files WHERE path = '/data/far'`)
	imported, broken, err := f.TallyFiles(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, []int{imported, broken})
	_, err = f.File(t.Context(), id, 0)
	require.Equal(t, order.Invalid, order.ClassOf(err))
}
