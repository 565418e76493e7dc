package tracking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Share is what one user has waiting, of one rank.
type Share struct {
	Rank        int // lower goes first
	Group, User string
	Count       int // pending rows, as far as was counted
}

// shares visits each share once, through the index: what it costs grows with the
// number of users who wait, not with that of their orders.
const shares = `
WITH RECURSIVE share AS (
    (SELECT rank, group_name, user_name FROM importer.inbox WHERE NOT parked ORDER BY rank, group_name, user_name LIMIT 1)
    UNION ALL
    SELECT next.* FROM share s CROSS JOIN LATERAL (
        SELECT i.rank, i.group_name, i.user_name FROM importer.inbox i
        WHERE NOT i.parked AND (i.rank, i.group_name, i.user_name) > (s.rank, s.group_name, s.user_name)
        ORDER BY i.rank, i.group_name, i.user_name LIMIT 1) next
)
SELECT s.rank, s.group_name, s.user_name,
       (SELECT count(*) FROM (SELECT FROM importer.inbox i WHERE NOT i.parked AND i.rank = s.rank
                              AND i.group_name = s.group_name AND i.user_name = s.user_name LIMIT $1) few)
FROM share s WHERE ` + isOpen + ` LIMIT $2`

// isOpen is a condition on a share s, whose names are cut short: it is not paused.
const isOpen = `NOT EXISTS (SELECT FROM importer.pauses z
    WHERE left(z.group_name, 100) IN ('', s.group_name) AND left(z.user_name, 100) IN ('', s.user_name))`

// maxShares bounds how many users one choice is made among.
const maxShares = 10_000

// isDue is a condition on an order: its time has come, and it is not paused.
const isDue = `state = 'queued' AND due_at <= statement_timestamp() AND (cancelled OR NOT EXISTS (
    SELECT FROM importer.pauses z
    CROSS JOIN LATERAL (SELECT group_name, user_name FROM public.imports p WHERE p.id = import_id LIMIT 1) p
    WHERE z.group_name IN ('', p.group_name) AND z.user_name IN ('', p.user_name)))`

// Of the orders that an agent died at several times, one may be to blame, and all that
// were beside it look like it: an agent carries out one of these at a time, so that
// the others leave their company.
const (
	isSuspect   = `crashes >= 2` // as in the index orders_suspect
	noneSuspect = `NOT EXISTS (SELECT FROM importer.orders r WHERE r.state = 'running' AND r.agent = $3 AND r.` + isSuspect + `)`
)

// working counts, where there is a limit $2, what is carried out of each destination.
const working = `working AS MATERIALIZED (
    SELECT destination, count(*) AS n FROM importer.orders WHERE $2::int > 0 AND state = 'running' GROUP BY destination)`

// fitsDue is a condition on an order o: less is carried out for its destination than is allowed.
const fitsDue = `CASE WHEN $2::int = 0 THEN true ELSE $2 > coalesce((SELECT n FROM working w WHERE w.destination = o.destination), 0) END`

// dueOnes and dueSuspects are what is to be tried again or resumed by now.
const (
	dueOnes     = ` FROM importer.orders o WHERE ` + isDue + ` AND NOT ` + isSuspect + ` AND ` + fitsDue
	dueSuspects = ` FROM importer.orders o WHERE ` + isDue + ` AND ` + isSuspect + ` AND ` + noneSuspect + ` AND ` + fitsDue
)

// dueCount counts these, as far as they can be taken up at the same time.
const dueCount = `WITH ` + working + `
SELECT (SELECT count(*) FROM (SELECT` + dueOnes + ` LIMIT $1) few) + (SELECT count(*) FROM (SELECT` + dueSuspects + ` LIMIT 1) one)`

// Agent is who takes orders up.
type Agent struct {
	Name           string
	PerDestination int // how many of one destination are carried out at a time, by all agents; 0: any number
}

// ownRuns are those of an agent.
const ownRuns = `SELECT uuid, run, agent, cancelled FROM importer.orders WHERE state = 'running' AND agent = $1`

// Waiting is what an agent chooses from.
type Waiting struct {
	Shares  []Share // by rank, group and user
	Due     int     // orders that were begun, and are to go on by now
	Running []Run   // what the agent has taken up, by what the database says
}

// Count is how many orders wait, as far as was counted.
func (w *Waiting) Count() int {
	n := w.Due
	for _, share := range w.Shares {
		n += share.Count
	}
	return n
}

// Without takes out what was taken up.
func (w *Waiting) Without(due int, turns []Share) {
	w.Due -= due
	left := w.Shares[:0]
	for _, share := range w.Shares {
		if len(turns) > 0 && share.Rank == turns[0].Rank && share.Group == turns[0].Group && share.User == turns[0].User {
			share.Count -= turns[0].Count
			turns = turns[1:]
		}
		if share.Count > 0 {
			left = append(left, share)
		}
	}
	w.Shares = left
}

// Run is an order that is carried out.
type Run struct {
	Job
	Cancelled bool // it is to be ended
}

// Waiting tells what waits for an agent. It counts up to limit of each share and of
// what is due.
func (s *Store) Waiting(ctx context.Context, agent Agent, limit int) (*Waiting, error) {
	w := &Waiting{}
	batch := &pgx.Batch{}
	batch.Queue(ownRuns, agent.Name).Query(func(rows pgx.Rows) (err error) {
		w.Running, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Run])
		return err
	})
	if limit > 0 {
		batch.Queue(dueCount, limit, agent.PerDestination, agent.Name).QueryRow(func(row pgx.Row) error { return row.Scan(&w.Due) })
		batch.Queue(shares, limit, maxShares).Query(func(rows pgx.Rows) (err error) {
			w.Shares, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Share])
			return err
		})
	}
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("looking for orders that wait: %w", err)
	}
	return w, nil
}
