package engine_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// heard is an observer that counts what it is told.
type heard struct {
	mu      sync.Mutex
	counts  map[string]int
	working int
}

func (h *heard) count(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counts == nil {
		h.counts = map[string]int{}
	}
	h.counts[fmt.Sprintf(format, args...)]++
}

func (h *heard) of(what string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[what]
}

func (h *heard) all() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.counts)
}

func (h *heard) Session(err error)                    { h.count("session %v", err == nil) }
func (h *heard) Taken(waited time.Duration)           { h.count("taken %v", waited < time.Hour) }
func (h *heard) Converting(change int)                { h.count("converting %d", change) }
func (h *heard) Step(s engine.Step, _ time.Duration)  { h.count("step %s", s) }
func (h *heard) File(s tracking.FileState)            { h.count("file %s", s) }
func (h *heard) Fault(f engine.Fault)                 { h.count("fault %s", f) }
func (h *heard) Ended(s order.Stage, _ time.Duration) { h.count("ended %s", s) }
func (h *heard) Working(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.working += change
}

func TestObserver_hearsOfEachStepAndFault(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	told := &heard{}
	away := true
	_, stop := f.start(engine.Config{Workers: 1, Observer: told}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if away {
			away = false
			return nil, fmt.Errorf("connecting: %w", context.DeadlineExceeded)
		}
		return imported(req), nil
	}))
	id := f.place(f.file("a.tif"), f.data+"/missing.tif")
	require.Eventually(t, func() bool { return told.of("ended "+string(order.Failed)) == 1 }, time.Minute, time.Millisecond, id)
	stop()
	require.Equal(t, map[string]int{
		"session true": 1, "taken true": 1,
		"step list": 2, "step check": 2, "step prepare": 2, "step import": 2, "step end": 1,
		"file failed": 2, "file imported": 1, // the missing one at each try
		"fault passing": 1, "fault invalid": 1, "ended " + string(order.Failed): 1,
	}, told.all())
	require.Zero(t, told.working)
}

// Each fault that is told of is one that is known before.
func TestFaults_areKnown(t *testing.T) {
	t.Parallel()
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(engine.Faults()))), len(engine.Faults()))
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(engine.Steps()))), len(engine.Steps()))
}

// The dispatcher comes round by itself, also while nothing happens.
func TestStill_isShortWhileItRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	told := &heard{}
	e, stop := f.start(engine.Config{Observer: told}, nil)
	require.Eventually(t, func() bool { return told.of("session true") == 1 && e.Still() > 100*time.Millisecond }, time.Minute, time.Millisecond)
	before := e.Still()
	require.Eventually(t, func() bool { return e.Still() < before }, time.Minute, time.Millisecond, "it came round")
	stop()
	require.Zero(t, e.Still(), "there is none any more")
}
