package tracking_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func openBench(b *testing.B) *tracking.Store {
	b.Helper()
	s, err := tracking.Open(b.Context(), trackingtest.URL(b), 4)
	require.NoError(b, err)
	b.Cleanup(s.Close)
	return s
}

// taken makes drops as a rule takes them, in folders of a hundred.
func taken(from, to int) []tracking.Drop {
	drops := make([]tracking.Drop, 0, to-from)
	for i := from; i < to; i++ {
		drops = append(drops, tracking.Drop{
			Path: fmt.Sprintf("/data/Demo/ada/inbox/run %d/image %d.tif", i/100, i), Kind: tracking.DropFile, Size: 1 << 20,
			ModTime: 1700000000000000000, Inode: uint64(i), Mark: uint64(i) + 1, Fingerprint: uint64(i)*0x9E3779B97F4A7C15 + 1,
			State: tracking.DropTaken, UUID: "afe38fe0-ea2b-43e6-949d-364827c66230",
		})
	}
	return drops
}

func BenchmarkPlace_tenThousandNewDrops(b *testing.B) {
	s := openBench(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		drops := taken(n, n+10_000)
		n += 10_000
		b.StartTimer()
		require.NoError(b, s.Place(b.Context(), drops, nil))
	}
}

func BenchmarkPlace_tenThousandChangedDrops(b *testing.B) {
	s := openBench(b)
	drops := taken(0, 10_000)
	require.NoError(b, s.Place(b.Context(), drops, nil))
	for b.Loop() {
		for i := range drops {
			drops[i].Version++
			drops[i].Mark++
		}
		require.NoError(b, s.Place(b.Context(), drops, nil))
	}
}

// A million drops in ten thousand folders, asked for five hundred at a time.
func BenchmarkKnown_aMillionDrops(b *testing.B) {
	s := openBench(b)
	const drops, folders = 1_000_000, 10_000
	for n := 0; n < drops; n += 10_000 {
		require.NoError(b, s.Place(b.Context(), taken(n, n+10_000), nil))
	}
	names := make([]string, folders)
	for i := range names {
		names[i] = fmt.Sprintf("/data/Demo/ada/inbox/run %d", i)
	}
	for b.Loop() {
		total := 0
		for n := 0; n < folders; n += 500 {
			known, err := s.Known(b.Context(), names[n:n+500])
			require.NoError(b, err)
			for _, marks := range known {
				total += len(marks)
			}
		}
		require.Equal(b, drops, total)
	}
}

// What the database has to do for orders of one file, in lots as an agent of 16 workers
// makes them.
func BenchmarkOrders_throughTheDatabase(b *testing.B) {
	s := openBench(b)
	const orders, taken, begun, ended = 2_000, 14, 20, 50
	turn := []tracking.Share{{Group: "Demo", User: "ada", Count: taken}}
	var spent [4]time.Duration
	timed := func(step int, do func() error) {
		began := time.Now()
		require.NoError(b, do())
		spent[step] += time.Since(began)
	}
	for b.Loop() {
		timed(0, func() error {
			_, err := s.Pool().Exec(b.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
				SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', gen_random_uuid()::text, '["/data/a.tif"]' FROM generate_series(1, $1)`, orders)
			return err
		})
		var works []*tracking.Work
		for len(works) < orders {
			timed(1, func() error {
				found, _, err := s.Take(b.Context(), tracking.Agent{Name: agent}, 0, turn)
				works = append(works, found...)
				return err
			})
		}
		for lot := range slices.Chunk(works, begun) {
			timed(2, func() error { return s.BeginLot(b.Context(), lot) })
		}
		ends := make([]tracking.End, len(works))
		for i, w := range works {
			file := tracking.File{Path: "/data/a.tif", State: tracking.FileImported, Images: []int64{1}}
			ends[i] = tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: []tracking.File{file}}
		}
		for lot := range slices.Chunk(ends, ended) {
			timed(3, func() error { return s.FinishLot(b.Context(), lot) })
		}
	}
	for i, step := range []string{"placed", "taken", "begun", "ended"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(b.N*orders), "µs/order-"+step)
	}
}
