package tracking

import (
	"context"
	"fmt"
)

// releaseNext gives room at each destination that has some, with a limit of $1, to
// one of the rows that are held back for it and not paused: of the highest priority,
// and of these to who comes after the one who got it last.
const releaseNext = `
WITH RECURSIVE waits AS (
    (SELECT destination FROM importer.inbox WHERE held AND parked ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT next.destination FROM waits w CROSS JOIN LATERAL (
        SELECT i.destination FROM importer.inbox i WHERE i.held AND i.parked AND i.destination > w.destination ORDER BY i.destination LIMIT 1) next
), next AS MATERIALIZED (
    SELECT w.destination, row.id, row.group_name, row.user_name
    FROM waits w
    LEFT JOIN LATERAL (SELECT * FROM importer.held_turns t WHERE t.destination = w.destination LIMIT 1) t ON true
    CROSS JOIN LATERAL (
        SELECT s.rank FROM importer.inbox s WHERE s.held AND s.parked AND s.destination = w.destination AND ` + isOpen + `
        ORDER BY s.destination, s.rank, s.group_name, s.user_name, s.id LIMIT 1) first
    CROSS JOIN LATERAL (
        (SELECT s.id, s.group_name, s.user_name FROM importer.inbox s
         WHERE s.held AND s.parked AND s.destination = w.destination AND s.rank = first.rank
           AND (s.group_name, s.user_name) > (t.group_name, t.user_name) AND ` + isOpen + `
         ORDER BY s.destination, s.rank, s.group_name, s.user_name, s.id LIMIT 1)
        UNION ALL
        (SELECT s.id, s.group_name, s.user_name FROM importer.inbox s
         WHERE s.held AND s.parked AND s.destination = w.destination AND s.rank = first.rank AND ` + isOpen + `
         ORDER BY s.destination, s.rank, s.group_name, s.user_name, s.id LIMIT 1)
        LIMIT 1) row
    WHERE (w.destination IN (
        SELECT u.destination FROM (SELECT destination FROM importer.orders WHERE state = 'running' UNION ALL
                                   SELECT s.destination FROM importer.inbox s WHERE s.held AND NOT s.parked AND ` + isOpen + `) u
        GROUP BY u.destination HAVING count(*) >= $1)) IS NOT TRUE -- looked up in a hash table
), turns AS (
    INSERT INTO importer.held_turns AS t SELECT destination, group_name, user_name FROM next
    ON CONFLICT (destination) DO UPDATE SET group_name = excluded.group_name, user_name = excluded.user_name
)
UPDATE importer.inbox SET parked = false FROM next WHERE inbox.id = ANY (ARRAY[next.id])`

// releaseAll is for an agent without a limit. What another one holds back is held anew.
const releaseAll = `UPDATE importer.inbox SET parked = false, held = false WHERE id = ANY (ARRAY (
    SELECT id FROM importer.inbox WHERE held AND parked AND $1::int = 0 ORDER BY destination LIMIT 10000))`

// Release gives what is held back for a destination its turn where fewer orders are
// carried out than are allowed, or there is no limit any more. It may have to be asked
// for again: once there is nothing to release, it reports so.
func (s *Store) Release(ctx context.Context, agent Agent) (more bool, err error) {
	release := releaseAll
	if agent.PerDestination > 0 {
		release = releaseNext
	}
	n, err := s.execInTurn(ctx, takeTurn, release, agent.PerDestination)
	if err != nil {
		return false, fmt.Errorf("releasing orders that are held back: %w", err)
	}
	return n > 0, nil
}
