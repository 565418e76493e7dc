package tracking

import (
	"context"
	"fmt"
	"time"
)

// What one transaction removes at most. The files of a single order may be more: it is
// forgotten as a whole, so that neither an audit nor a retry comes upon a half of it.
const (
	prunedOrders = 1000
	prunedFiles  = 10_000
)

// forget counts the files of old orders one by one, for only as long as they fit. The
// order that the last of them is of may have more, and is left for the next time,
// unless it is the first.
const forget = `
WITH old AS MATERIALIZED (
    SELECT uuid FROM importer.orders o WHERE state IN ('completed', 'failed') AND ended_at < $1 AND queued_at < $1
      AND (SELECT 1 FROM importer.inbox i WHERE i.uuid = o.uuid LIMIT 1) IS NULL -- asked for once more
    ORDER BY queued_at LIMIT $2 FOR UPDATE SKIP LOCKED
), counted AS MATERIALIZED (
    SELECT row_number() OVER () AS n, old.uuid FROM old LEFT JOIN LATERAL (SELECT FROM importer.files f WHERE f.order_uuid = old.uuid LIMIT $3 + 1) f ON true
    LIMIT $3 + 1
), lot AS MATERIALIZED (
    SELECT DISTINCT uuid FROM counted WHERE n = 1 OR uuid IS DISTINCT FROM (SELECT uuid FROM counted WHERE n = $3 + 1)
), requests AS (
    DELETE FROM importer.requests r USING lot WHERE r.uuid = ANY (ARRAY[lot.uuid])
), deliveries AS (
    DELETE FROM importer.deliveries d USING lot WHERE d.uuid = ANY (ARRAY[lot.uuid])
), files AS (
    DELETE FROM importer.files f USING lot WHERE f.order_uuid = ANY (ARRAY[lot.uuid])
)
DELETE FROM importer.orders o USING lot WHERE o.uuid = ANY (ARRAY[lot.uuid])`

// Prune forgets attempts that ended before a moment, with their files, requests
// and deliveries, and reports whether there may be more. The rows of the imports table stay, and so
// does what is known of drops, without which they would be new ones.
func (s *Store) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	n, err := s.execInTurn(ctx, settleTurn, forget, before, prunedOrders, prunedFiles) // some deliveries may be due
	if err != nil {
		return false, fmt.Errorf("forgetting old orders: %w", err)
	}
	return n > 0, nil
}
