package tracking_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

func TestDepth_countsWhereOrdersAre(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	depth := func() tracking.Depth {
		t.Helper()
		d, err := f.Depth(t.Context())
		require.NoError(t, err)
		return d
	}
	require.Equal(t, tracking.Depth{}, depth())
	w := f.begun()
	require.Equal(t, tracking.Depth{Running: 1}, depth())
	require.NoError(t, f.PutBack(t.Context(), w.Job, time.Hour, true, "", nil))
	first := f.insert(`["/data/a.tif"]`)
	f.insert(`["/data/b.tif"]`)
	f.exec(`UPDATE importer.inbox SET placed_at = placed_at - interval '2 hours' WHERE uuid = $1`, first)
	d := depth()
	require.InDelta(t, 2*time.Hour, d.Oldest, float64(time.Minute))
	d.Oldest = 0
	require.Equal(t, tracking.Depth{Pending: 2, Retrying: 1}, d)

	f.exec(`INSERT INTO importer.pauses (group_name, user_name) VALUES ('', '')`)
	require.Equal(t, tracking.Depth{Pending: 2, Retrying: 1}, depth(), "what is paused keeps nobody waiting")
	f.exec(`UPDATE importer.inbox SET parked = true, held = true WHERE uuid = $1`, first)
	require.Equal(t, tracking.Depth{Pending: 1, Held: 1, Retrying: 1}, depth())
}

// Of a long queue with a few users no more is read than is counted.
func TestDepth_readsAPartOfALongQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const waiting = 5 * tracking.MaxDepth
	f.exec(`INSERT INTO importer.inbox (import_id, uuid, inserted, group_name, user_name)
		SELECT n, n::text, true, 'Demo', 'user' || n % 50 FROM generate_series(1, $1::int) n`, waiting)
	f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state, ended_at)
		SELECT 'o' || n, n, 1, 'completed', clock_timestamp() FROM generate_series(1, $1::int) n`, waiting)
	d, err := f.Depth(t.Context())
	require.NoError(t, err)
	require.Equal(t, tracking.MaxDepth, d.Pending)
	require.Zero(t, d.Running)
	var text string
	require.NoError(t, f.Pool().QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) "+tracking.DepthQuery, tracking.MaxDepth, 100).Scan(&text))
	var plans []map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &plans))
	plan, ok := plans[0]["Plan"].(map[string]any)
	require.True(t, ok, text)
	rows := read(plan)
	require.Greater(t, rows, 1.0*tracking.MaxDepth, text)
	require.Less(t, rows, 4.0*tracking.MaxDepth, text)
}

// read is how many rows the nodes of a plan gave or threw away.
func read(plan map[string]any) (sum float64) {
	number := func(key string) float64 {
		n, _ := plan[key].(float64) // some have none
		return n
	}
	sum = (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops")
	below, _ := plan["Plans"].([]any)
	for _, p := range below {
		if p, ok := p.(map[string]any); ok {
			sum += read(p)
		}
	}
	return sum
}

func TestTake_tellsHowLongAnOrderWaited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE importer.inbox SET placed_at = placed_at - interval '3 minutes' WHERE uuid = $1`, id)
	later := uuid.NewString()
	f.exec(insertPending, later, `["/data/a.tif"]`)
	f.exec(`UPDATE importer.inbox SET placed_at = placed_at + interval '3 minutes' WHERE uuid = $1`, later)
	works := f.take()
	require.Len(t, works, 2)
	require.InDelta(t, 3*time.Minute, works[0].Waited, float64(time.Minute))
	require.Zero(t, works[1].Waited, "the clock was set back")
}
