package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hour is what ended in an hour.
type Hour struct {
	Completed, Failed int
	// Wait is how long half of these orders waited at most for a worker, SlowWait how
	// long 95 of 100 did; Run how long half of them took.
	Wait, SlowWait, Run time.Duration
}

// endedWithin reads as many orders as ended then, along the index of lists.
const endedWithin = `
SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed'),
       coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY wait), 0), coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY wait), 0),
       coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY run), 0)
FROM (
    SELECT state, extract(epoch FROM started_at - queued_at)::float8 AS wait, extract(epoch FROM ended_at - started_at)::float8 AS run
    FROM importer.orders
    WHERE state = 'completed' AND attempt >= 0 AND coalesce(ended_at, queued_at) >= $1 AND coalesce(ended_at, queued_at) < $2
    UNION ALL
    SELECT state, extract(epoch FROM started_at - queued_at)::float8, extract(epoch FROM ended_at - started_at)::float8
    FROM importer.orders
    WHERE state = 'failed' AND attempt >= 0 AND coalesce(ended_at, queued_at) >= $1 AND coalesce(ended_at, queued_at) < $2 AND ended_at IS NOT NULL
) ended`

// Hour returns what ended in the hour from a moment on. An order that was asked for again
// counts where its last attempt ended.
func (s *Store) Hour(ctx context.Context, from time.Time) (h Hour, err error) {
	var wait, slow, run float64
	err = s.pool.QueryRow(ctx, endedWithin, from, from.Add(time.Hour)).Scan(&h.Completed, &h.Failed, &wait, &slow, &run)
	if err != nil {
		return Hour{}, fmt.Errorf("counting what ended in an hour: %w", err)
	}
	seconds := func(s float64) time.Duration {
		return time.Duration(max(s, 0) * float64(time.Second)).Round(time.Microsecond)
	}
	h.Wait, h.SlowWait, h.Run = seconds(wait), seconds(slow), seconds(run)
	return h, nil
}

// Unsettled is a drop that somebody has to look at.
type Unsettled struct {
	Path    string    `json:"path"`
	Kind    DropKind  `json:"kind"`
	State   DropState `json:"state"` // waiting or refused
	Reason  string    `json:"reason"`
	Changed time.Time `json:"changed"`
}

const unsettled = `
SELECT path, kind, state, reason, changed_at FROM importer.drops
WHERE state IN ('waiting', 'refused') ORDER BY changed_at DESC LIMIT $1`

// Unsettled lists the manifests that wait for their files and what was refused, the last
// first.
func (s *Store) Unsettled(ctx context.Context, limit int) ([]Unsettled, error) {
	rows, err := s.pool.Query(ctx, unsettled, limit)
	if err == nil {
		var list []Unsettled
		if list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Unsettled]); err == nil {
			return list, nil
		}
	}
	return nil, fmt.Errorf("listing drops that wait or were refused: %w", err)
}
