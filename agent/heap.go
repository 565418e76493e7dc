package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// smallHeap is what a heap may grow to, in bytes, before it is collected, where that is two
// to three times what lives of it. Many small orders leave little that lives, and the
// collector would run again for every few megabytes: a tenth of what the service does then.
// A heap of which more lives than half of this is collected at twice that, as always.
const smallHeap = 20 << 20

// roomPercent is the collector's percentage for a heap of which so many bytes live. It is
// bounded because it holds for a while after that has grown.
func roomPercent(live uint64) int {
	const usual, most = 100, 200
	room := smallHeap - int64(min(live, smallHeap))
	return int(max(usual, min(most, usual*room/int64(max(live, 1))))) //nolint:gosec // a heap's size
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
	// The next collection finds this, and has adjust called. What is smaller shares its block
	// with others, and may be found late or never.
	wait = func() { runtime.AddCleanup(new([64]byte), adjust, struct{}{}) }
	wait()
}
