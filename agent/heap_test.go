package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoomPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 200, 1 << 20: 200, 20 << 20 / 3: 200, 8 << 20: 150, 10 << 20: 100, 11 << 20: 100, 20 << 20: 100, 1 << 30: 100,
	} {
		require.Equal(t, want, roomPercent(live), "%d bytes", live)
	}
}

// What a collection leaves decides on the next.
func TestKeepRoom_followsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	keepRoom()
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	collected := func(want func(percent uint64) bool) {
		require.Eventually(t, func() bool {
			runtime.GC()
			metrics.Read(sample)
			return want(sample[0].Value.Uint64())
		}, time.Minute, 10*time.Millisecond)
	}
	collected(func(percent uint64) bool { return percent > 100 })
	large := make([]byte, 64<<20)
	collected(func(percent uint64) bool { return percent == 100 })
	runtime.KeepAlive(large)
}
