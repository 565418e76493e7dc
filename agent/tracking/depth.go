package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxDepth is as far as Depth counts.
const MaxDepth = 10_000

// Depth is how many orders are where, each counted up to MaxDepth.
type Depth struct {
	Pending  int           // waiting for their first try, paused ones too
	Held     int           // waiting for room at their destination
	Retrying int           // waiting to be tried again or resumed
	Running  int           // carried out by any agent
	Oldest   time.Duration // how long the oldest of the pending has waited that is not paused; 0 for none
}

// depth counts through indexes, and no further than MaxDepth. The oldest of those who wait
// is the first of somebody: see shares.
const depth = `
WITH RECURSIVE share AS (
    (SELECT rank, group_name, user_name, placed_at FROM importer.inbox WHERE NOT parked ORDER BY rank, group_name, user_name, id LIMIT 1)
    UNION ALL
    SELECT next.* FROM share s CROSS JOIN LATERAL (
        SELECT i.rank, i.group_name, i.user_name, i.placed_at FROM importer.inbox i
        WHERE NOT i.parked AND (i.rank, i.group_name, i.user_name) > (s.rank, s.group_name, s.user_name)
        ORDER BY i.rank, i.group_name, i.user_name, i.id LIMIT 1) next
)
SELECT (SELECT count(*) FROM (SELECT FROM importer.inbox WHERE NOT parked LIMIT $1) few),
       (SELECT count(*) FROM (SELECT FROM importer.inbox WHERE held LIMIT $1) few),
       (SELECT count(*) FROM (SELECT FROM importer.orders WHERE state = 'queued' LIMIT $1) few),
       (SELECT count(*) FROM (SELECT FROM importer.orders WHERE state = 'running' LIMIT $1) few),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - min(placed_at)) FROM (
           SELECT placed_at FROM share s WHERE ` + isOpen + ` LIMIT $2) first), 0)::float8`

// Depth counts the queue. What it costs is bounded, and does not grow with the queue.
func (s *Store) Depth(ctx context.Context) (Depth, error) {
	var d Depth
	var oldest float64
	rows, err := s.pool.Query(ctx, depth, MaxDepth, maxShares)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&d.Pending, &d.Held, &d.Retrying, &d.Running, &oldest}, func() error { return nil })
	}
	if err != nil {
		return d, fmt.Errorf("counting the orders that wait: %w", err)
	}
	d.Oldest = time.Duration(max(oldest, 0) * float64(time.Second)) // a clock may have been set back
	return d, nil
}

// Answers returns an error where the database does not answer.
func (s *Store) Answers(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}
