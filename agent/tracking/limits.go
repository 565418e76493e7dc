package tracking

import (
	"context"
	"fmt"
)

// releaseOf and releaseHeld stand around destinations of which n more orders may be
// carried out. As many rows of each share that are held back for these get their turn
// again; what does not fit then is held anew. So nobody waits for all that another has.
const (
	releaseOf = `
UPDATE importer.inbox SET parked = false, held = false WHERE id IN (
    WITH RECURSIVE d AS MATERIALIZED (`
	releaseHeld = `
    ), share AS (
        SELECT first.* FROM d CROSS JOIN LATERAL (
            SELECT d.n, i.destination, i.rank, i.group_name, i.user_name FROM importer.inbox i WHERE i.held AND i.destination = d.destination
            ORDER BY i.destination, i.rank, i.group_name, i.user_name, i.id LIMIT 1) first
        UNION ALL
        SELECT next.* FROM share s CROSS JOIN LATERAL (
            SELECT s.n, i.destination, i.rank, i.group_name, i.user_name FROM importer.inbox i
            WHERE i.held AND i.destination = s.destination AND (i.rank, i.group_name, i.user_name) > (s.rank, s.group_name, s.user_name)
            ORDER BY i.destination, i.rank, i.group_name, i.user_name, i.id LIMIT 1) next
    )
    SELECT i.id FROM share s CROSS JOIN LATERAL (
        SELECT i.id FROM importer.inbox i WHERE i.held AND i.destination = s.destination
          AND i.rank = s.rank AND i.group_name = s.group_name AND i.user_name = s.user_name
        ORDER BY i.destination, i.rank, i.group_name, i.user_name, i.id LIMIT s.n FOR UPDATE SKIP LOCKED) i
    LIMIT 1000)`
)

// heldDestinations visits each destination for which rows are held back once. $1 is
// how many of its orders may be carried out at a time.
const heldDestinations = `
SELECT h.destination, h.n FROM (
    WITH RECURSIVE held AS (
        (SELECT destination FROM importer.inbox WHERE held ORDER BY destination LIMIT 1)
        UNION ALL
        SELECT next.destination FROM held h CROSS JOIN LATERAL (
            SELECT i.destination FROM importer.inbox i WHERE i.held AND i.destination > h.destination ORDER BY i.destination LIMIT 1) next
    )
    SELECT destination, CASE WHEN $1::int = 0 THEN 1000
        ELSE $1 - (SELECT count(*) FROM importer.orders o WHERE o.state = 'running' AND o.destination = held.destination) END AS n
    FROM held) h
WHERE h.n > 0`

// Release gives what is held back its turn where fewer orders are carried
// out than are allowed. The end of an order does so as well: this finds what another limit,
// or an agent that is gone, has left.
func (s *Store) Release(ctx context.Context, agent Agent) error {
	_, err := s.pool.Exec(ctx, `WITH released AS (`+releaseOf+heldDestinations+releaseHeld+` RETURNING 1)
		SELECT pg_notify('importer_orders', '') WHERE EXISTS (SELECT FROM released)`, agent.PerDestination)
	if err != nil {
		return fmt.Errorf("releasing orders that are held back: %w", err)
	}
	return nil
}
