package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/failpoint"
)

// Job is a worker's hold on an attempt. Whatever it writes takes effect only
// while nobody else has taken the order up.
type Job struct {
	UUID  string
	Run   int64
	Agent string // a run that the server lost in a crash may be counted again
}

// pendingColumns are of an order o, and what its client wrote.
const pendingColumns = `o.uuid, o.run, o.attempt, o.crashes, o.tries, o.cancelled, o.round, o.mark,
       extract(epoch FROM clock_timestamp() - o.queued_at)::float8, ` + writtenColumns

// writtenColumns are of the row p that an order was made from, which may be gone, and
// of that row's converter c. Long lists of files are read later, by EachPath.
const writtenColumns = `p.id, p.group_name, p.user_name, p.destination_type, p.destination_id,
       CASE WHEN octet_length(p.files) <= 65536 THEN p.files END, coalesce(p.description, ''), p.import_options,
       p.preprocessing_id, c.container, c.input_file, c.output_folder, c.alt_output_folder, c.extra_params::text`

// writtenTables are what a client wrote of an order o: writtenTable and converterTable. They
// look each row up by its key: LIMIT keeps the planner from reading whole tables for a hash.
const (
	writtenTables  = writtenTable + converterTable
	writtenTable   = `LEFT JOIN LATERAL (SELECT * FROM public.imports p WHERE p.id = o.import_id AND p.uuid = o.uuid LIMIT 1) p ON true`
	converterTable = `
LEFT JOIN LATERAL (SELECT * FROM public.imports_preprocessing c WHERE c.id = p.preprocessing_id LIMIT 1) c ON true`
)

// takePending takes the oldest rows of each share. A row inserted as pending is the
// order as its client last wrote it; where rows were set back instead, any of
// them holds the order's fields, so the one used before serves again. Of a uuid
// without an import_id the pending rows are gone. One that conflicts without
// being updated has an attempt that has yet to end; its row is locked all the
// same, so that whoever ends it sees what is parked here. Of one destination, what
// comes first by rank is let in, what was given room before what is new, and then by
// turn; what is too much is held back.
const takePending = `
WITH picked AS (
    SELECT i.uuid, i.id, i.held, s.rank, s.nth, row_number() OVER (PARTITION BY s.nth ORDER BY i.id) AS turn
    FROM unnest($1::smallint[], $4::text[], $5::text[], $6::int[]) WITH ORDINALITY AS s (rank, group_name, user_name, n, nth)
    CROSS JOIN LATERAL (
        SELECT i.uuid, i.id, i.held FROM importer.inbox i
        WHERE NOT i.parked AND i.rank = s.rank AND i.group_name = s.group_name AND i.user_name = s.user_name
        ORDER BY i.rank, i.group_name, i.user_name, i.id LIMIT s.n) i -- all four: for the index
    WHERE ` + isOpen + `
), ` + working + `, wanted AS MATERIALIZED (
    SELECT w.*, i.rows, i.placed_at, coalesce(
               i.newest,
               (SELECT o.import_id FROM importer.orders o WHERE o.uuid = w.uuid AND (
                    SELECT 1 FROM public.imports p WHERE p.id = o.import_id AND p.uuid = o.uuid AND p.stage = 'Import Pending' LIMIT 1) IS NOT NULL),
               i.oldest) AS import_id
    FROM (SELECT uuid, min(id) AS first, min(rank) AS rank, min(turn) AS turn, min(nth) AS nth, bool_or(held) AS held FROM picked GROUP BY uuid) w
    CROSS JOIN LATERAL (
        SELECT array_agg(i.id) AS rows, min(i.placed_at) AS placed_at, min(p.id) AS oldest,
               (array_agg(p.id ORDER BY i.id DESC) FILTER (WHERE i.inserted AND p.id IS NOT NULL))[1] AS newest
        FROM importer.inbox i
        LEFT JOIN LATERAL (SELECT p.id FROM public.imports p WHERE p.id = i.import_id AND p.uuid = i.uuid AND p.stage = 'Import Pending' LIMIT 1) p ON true
        WHERE i.uuid = w.uuid) i
), placed AS MATERIALIZED (
    SELECT w.uuid, w.first, w.rows, w.placed_at, d.*, $2 = 0 OR d.takes IS NOT TRUE
           OR row_number() OVER (PARTITION BY d.destination, d.takes ORDER BY w.rank, w.held DESC, w.turn, w.nth)
              + coalesce((SELECT n FROM working WHERE destination = d.destination), 0) <= $2 AS fits
    FROM wanted w
    LEFT JOIN LATERAL (
        SELECT p.id, p.group_name, p.user_name, p.destination_type, p.destination_id, p.files, p.description, p.import_options, p.preprocessing_id,
               importer.destination_of(p.destination_type, p.destination_id) AS destination,
               NOT EXISTS (SELECT FROM importer.orders o WHERE $2 > 0 AND o.uuid = w.uuid AND o.state IN ('queued', 'running')) AS takes
        FROM public.imports p WHERE p.id = w.import_id LIMIT 1) d ON true
), o AS (
    INSERT INTO importer.orders AS o (uuid, import_id, destination, group_name, user_name, attempt, state, agent, run, queued_at, round)
    SELECT uuid, id, destination, left(group_name, 100), left(user_name, 100), 1, 'running', $3, 1, placed_at,
           coalesce((SELECT max(f.round) FROM importer.repository_filesets f WHERE f.order_uuid = placed.uuid), 0) -- of one that was forgotten
    FROM placed
    WHERE id IS NOT NULL AND fits ORDER BY uuid
    ON CONFLICT (uuid) DO UPDATE SET import_id = excluded.import_id, destination = excluded.destination,
        group_name = excluded.group_name, user_name = excluded.user_name,
        attempt = o.attempt + 1, state = 'running', agent = $3, run = o.run + 1, begun = false,
        tries = 0, crashes = 0, cancelled = false, reason = '', due_at = NULL, queued_at = excluded.queued_at, started_at = NULL, ended_at = NULL
        WHERE o.state IN ('completed', 'failed')
    RETURNING o.*
), aside AS (
    UPDATE importer.inbox i SET parked = true, held = NOT a.fits, destination = a.destination
    FROM (SELECT unnest(rows) AS id, fits, destination FROM placed WHERE id IS NOT NULL AND NOT ` + isTaken + `) a
    WHERE i.id = ANY (ARRAY[a.id])
), gone AS (
    DELETE FROM importer.inbox WHERE id = ANY (ARRAY (SELECT unnest(rows) FROM placed WHERE id IS NULL OR ` + isTaken + `))
)
SELECT ` + pendingColumns + `
FROM placed p
LEFT JOIN o ON o.uuid = p.uuid` + converterTable + `
ORDER BY p.first`

// isTaken is looked up in a hash table.
const isTaken = `(uuid IN (SELECT uuid FROM o)) IS TRUE`

// takeDue takes orders up again whose time has come.
const takeDue = `
WITH ` + working + `, suspects AS (
    SELECT uuid, due_at` + dueSuspects + ` ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
), ones AS (
    SELECT uuid, due_at` + dueOnes + ` ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT * FROM suspects UNION ALL SELECT * FROM ones LIMIT $1
), o AS (
    UPDATE importer.orders o SET state = 'running', agent = $3, run = o.run + 1, begun = false, due_at = NULL
    FROM due WHERE o.uuid = ANY (ARRAY[due.uuid]) RETURNING o.*, due.due_at AS was_due
)
SELECT ` + pendingColumns + `
FROM o
` + writtenTables + `
ORDER BY o.was_due`

// lazyCommit is for what is as if it had not been when the server loses it in a crash,
// like all that follows from it: that is committed later.
const lazyCommit = `SELECT set_config('synchronous_commit', 'off', true)`

// Take has an agent take up orders: up to due of those to be tried again or
// resumed, and of each share as many as its Count says, but none for a destination
// that has as many as are allowed. It returns what is to be done, and whether there
// may be more: rows that made no work are out of the way then. Agents take turns, so
// that each attempt is taken up once.
func (s *Store) Take(ctx context.Context, agent Agent, due int, turns []Share) (works []*Work, more bool, err error) {
	// One round trip, one transaction: nobody's turn waits for an agent.
	batch := &pgx.Batch{}
	batch.Queue(lazyCommit)
	if len(turns) > 0 || agent.PerDestination > 0 {
		batch.Queue(takeTurn)
	}
	if agent.PerDestination > 0 {
		due = min(due, 1) // two could be of one destination
	}
	collect := func(resumed bool) func(pgx.Rows) error {
		return func(rows pgx.Rows) error {
			found, seen, err := collectWorks(rows, agent.Name)
			for _, w := range found {
				w.Resumed = resumed
			}
			works, more = append(works, found...), more || seen
			return err
		}
	}
	if due > 0 {
		batch.Queue(takeDue, due, agent.PerDestination, agent.Name).Query(collect(true))
	}
	if len(turns) > 0 {
		ranks, groups, users, counts := make([]int16, len(turns)), make([]string, len(turns)), make([]string, len(turns)), make([]int, len(turns))
		for i, share := range turns {
			ranks[i], groups[i], users[i], counts[i] = int16(share.Rank), share.Group, share.User, share.Count //nolint:gosec // as read
		}
		batch.Queue(takePending, ranks, agent.PerDestination, agent.Name, groups, users, counts).Query(collect(false))
	}
	failpoint.Hit(failpoint.Taking)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, false, fmt.Errorf("taking up orders: %w", err)
	}
	return works, more, nil
}

// collectWorks reads what was taken up, and whether anything was seen: also rows that
// make no work.
func collectWorks(rows pgx.Rows, agent string) (works []*Work, seen bool, err error) {
	var uuid *string
	var run, round *int64
	var attempt, crashes, tries *int
	var cancelled *bool
	var mark *string
	var waited *float64
	var row pendingRow
	into := []any{&uuid, &run, &attempt, &crashes, &tries, &cancelled, &round, &mark, &waited}
	_, err = pgx.ForEachRow(rows, append(into, row.written()...), func() error {
		seen = true
		if uuid == nil {
			return nil
		}
		w := &Work{Written: row.decode(*uuid), Job: Job{UUID: *uuid, Run: *run, Agent: agent}, row: row.id}
		w.Attempt, w.Crashes, w.Tries, w.Cancelled, w.Round, w.Mark = *attempt, *crashes, *tries, *cancelled, *round, *mark
		w.Waited = time.Duration(max(*waited, 0) * float64(time.Second)) // a clock may have been set back
		works = append(works, w)
		return nil
	})
	return works, seen, err
}
