package engine

import (
	"testing"

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
