package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

func TestSplit_sharesBetweenBegunAndNewOrders(t *testing.T) {
	t.Parallel()
	type share struct{ due, fresh int }
	for name, tc := range map[string]struct {
		free, due, fresh int
		want             []share // one after the other
	}{
		"only new ones":       {3, 0, 10, []share{{0, 3}, {0, 3}}},
		"only begun ones":     {3, 10, 0, []share{{3, 0}, {3, 0}}},
		"both":                {4, 10, 10, []share{{2, 2}, {2, 2}}},
		"both for one worker": {1, 10, 10, []share{{1, 0}, {0, 1}, {1, 0}}},
		"few begun ones":      {6, 1, 10, []share{{1, 5}}},
		"few new ones":        {6, 10, 1, []share{{5, 1}}},
		"fewer than workers":  {6, 1, 1, []share{{1, 1}}},
		"no worker":           {0, 10, 10, []share{{0, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &dispatcher{}
			for _, want := range tc.want {
				waiting := &tracking.Waiting{Due: tc.due, Shares: []tracking.Share{{Count: tc.fresh}}}
				due, fresh := d.split(waiting, tc.free)
				require.Equal(t, want, share{due, fresh})
			}
		})
	}
}

// Orders taken up one by one cost as much each as many together: where all workers have
// something to do the dispatcher waits for room for many, but not for long.
func TestGather_waitsForRoomForMany(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		busy  int // of 4 workers, while 12 are taken up ahead
		ended int // after a millisecond each
		want  time.Duration
	}{
		"a worker is free":       {busy: 3},
		"few are taken up ahead": {busy: 7},
		"enough end":             {busy: 12, ended: 5, want: 5 * time.Millisecond},
		"too few end":            {busy: 12, ended: 4, want: gatherTime},
		"none end":               {busy: 12, want: gatherTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &dispatcher{slots: newSlots(4), wake: make(chan struct{}, 1)}
				d.slots.pace.Store(int64(9 * time.Millisecond))
				require.Equal(t, 16, d.slots.capacity())
				require.Equal(t, 7, d.slots.scarce())
				d.busy.Store(int64(tc.busy))
				go func() {
					for range tc.ended {
						time.Sleep(time.Millisecond)
						d.done()
					}
				}()
				began := time.Now()
				d.gather(t.Context())
				require.Equal(t, tc.want, time.Since(began))
			})
		})
	}
}
