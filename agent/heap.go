package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastHeap is how far the heap may grow before it is collected, in bytes. Many small
// orders leave little that lives, and the collector alone would run again for every few
// megabytes: a tenth of what the service does then. A heap of more than half of this is
// collected as always, so that the memory of a large site is none the larger.
const leastHeap = 20 << 20

// roomPercent is the collector's percentage for a heap of which so many bytes live.
func roomPercent(live uint64) int {
	return int(max(100, 100*(leastHeap-min(live, leastHeap))/max(live, 1<<20))) //nolint:gosec // at most 1900
}

// keepRoom sets the collector's percentage after each collection, unless somebody has set it.
func keepRoom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := 0
	var wait func()
	adjust := func(struct{}) {
		metrics.Read(sample)
		if percent := roomPercent(sample[0].Value.Uint64()); percent != set {
			debug.SetGCPercent(percent)
			set = percent
		}
		wait()
	}
	// The next collection finds this, and has adjust called.
	wait = func() { runtime.AddCleanup(new([64]byte), adjust, struct{}{}) }
	wait()
}
