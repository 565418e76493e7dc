package tracking

import (
	"context"
	"fmt"
	"time"
)

// pruneAtOnce bounds what one transaction removes.
const pruneAtOnce = 1000

// Prune forgets attempts that ended before a moment, with their files and requests,
// and reports whether there may be more. The rows of the imports table stay, and so
// does what is known of drops, without which they would be new ones.
func (s *Store) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		WITH old AS (
			SELECT uuid FROM importer.orders o WHERE state IN ('completed', 'failed') AND ended_at < $1 AND queued_at < $1
			  AND NOT EXISTS (SELECT FROM importer.inbox i WHERE i.uuid = o.uuid) -- asked for once more
			ORDER BY queued_at LIMIT $2 FOR UPDATE SKIP LOCKED
		), requests AS (
			DELETE FROM importer.requests r USING old WHERE r.uuid = old.uuid
		), files AS (
			DELETE FROM importer.files f USING old WHERE f.order_uuid = old.uuid
		)
		DELETE FROM importer.orders o USING old WHERE o.uuid = old.uuid`, before, pruneAtOnce)
	if err != nil {
		return false, fmt.Errorf("forgetting old orders: %w", err)
	}
	return tag.RowsAffected() == pruneAtOnce, nil
}
