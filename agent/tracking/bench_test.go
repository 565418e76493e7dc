package tracking_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

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
