package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Each part is read along an index of lists, see Filter.candidates, from its newest on; what
// runs is sorted.
const changedOrders = `
WITH wanted AS (
    SELECT uuid FROM (
        (SELECT uuid FROM importer.orders WHERE attempt >= 0 AND state = 'running' ORDER BY coalesce(ended_at, queued_at) DESC LIMIT $3)
        UNION ALL
        (SELECT uuid FROM importer.orders WHERE attempt >= 0 AND state = 'completed' AND coalesce(ended_at, queued_at) >= now() - $1::interval
         ORDER BY coalesce(ended_at, queued_at) DESC LIMIT $3)
        UNION ALL
        (SELECT uuid FROM importer.orders WHERE attempt >= 0 AND state = 'failed' AND coalesce(ended_at, queued_at) >= now() - $1::interval
         ORDER BY coalesce(ended_at, queued_at) DESC LIMIT $3)
        UNION ALL
        (SELECT uuid FROM importer.inbox WHERE id > 0 ORDER BY placed_at DESC LIMIT $4)
        UNION ALL
        SELECT unnest($2::text[])
    ) part GROUP BY uuid
)` + statusOf

// Changed returns the orders that something may have happened to within a time before
// now, without their files: those that are carried out, that ended then, the newest that
// wait, and also those named. Of each kind it returns no more than limit, of those that
// wait no more than waiting.
func (s *Store) Changed(ctx context.Context, within time.Duration, also []string, limit, waiting int) ([]Status, error) {
	rows, err := s.pool.Query(ctx, changedOrders, within, also, limit, waiting)
	if err == nil {
		var found []Status
		if found, err = pgx.CollectRows(rows, scanStatus); err == nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("looking for orders that changed: %w", err)
}
