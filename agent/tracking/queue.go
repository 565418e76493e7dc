package tracking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"biomero-importer/agent/failpoint"
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

// dueCount counts what is to be tried again or resumed by now.
const dueCount = `SELECT count(*) FROM (SELECT FROM importer.orders o WHERE ` + isDue + ` AND ` + fitsDue + ` LIMIT $1) few`

// fitsDue is a condition on an order o: fewer than $2, or 0 for any number, of its
// destination are carried out.
const fitsDue = `CASE WHEN $2::int = 0 THEN true ELSE
    $2 > (SELECT count(*) FROM importer.orders r WHERE r.state = 'running' AND r.destination = o.destination) END`

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
		batch.Queue(dueCount, limit, agent.PerDestination).QueryRow(func(row pgx.Row) error { return row.Scan(&w.Due) })
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

// Job is a worker's hold on an attempt. Whatever it writes takes effect only
// while nobody else has taken the order up.
type Job struct {
	UUID  string
	Run   int64
	Agent string // a run that the server lost in a crash may be counted again
}

// pendingColumns are of an order o, the row p that it was made from, which may be
// gone, and that row's converter c.
const pendingColumns = `o.uuid, o.run, o.attempt, o.crashes, o.tries, o.cancelled, o.round, o.import_id, p.id, p.group_name, p.user_name, p.destination_type, p.destination_id,
       p.files, coalesce(p.description, ''), p.import_options,
       c.container, c.input_file, c.output_folder, c.alt_output_folder, c.extra_params::text`

// pendingTables look each row up by its key: LIMIT keeps the planner from reading
// whole tables for a hash.
const pendingTables = `LEFT JOIN LATERAL (SELECT * FROM public.imports p WHERE p.id = o.import_id AND p.uuid = o.uuid LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT * FROM public.imports_preprocessing c WHERE c.id = p.preprocessing_id LIMIT 1) c ON true`

// takePending takes the oldest rows of each share. A row inserted as pending is the
// order as its client last wrote it; where rows were set back instead, any of
// them holds the order's fields, so the one used before serves again. Of a uuid
// without an import_id the pending rows are gone. One that conflicts without
// being updated has an attempt that has yet to end; its row is locked all the
// same, so that whoever ends it sees what is parked here.
const takePending = `
WITH picked AS (
    SELECT i.uuid, i.id, i.destination FROM unnest($1::smallint[], $2::text[], $3::text[], $4::int[]) AS s (rank, group_name, user_name, n)
    CROSS JOIN LATERAL (
        SELECT i.uuid, i.id, i.destination FROM importer.inbox i
        WHERE NOT i.parked AND i.rank = s.rank AND i.group_name = s.group_name AND i.user_name = s.user_name
        ORDER BY i.rank, i.group_name, i.user_name, i.id LIMIT s.n) i -- all four: for the index
    WHERE ` + isOpen + `
), working AS MATERIALIZED (
    SELECT destination, count(*) AS n FROM importer.orders WHERE $6 > 0 AND state = 'running' GROUP BY destination
), wanted AS MATERIALIZED (
    SELECT w.uuid, w.first, w.destination,
           $6 = 0 OR row_number() OVER (PARTITION BY w.destination ORDER BY w.first)
                     + coalesce((SELECT n FROM working WHERE destination = w.destination), 0) <= $6 AS fits,
           coalesce(
               (SELECT i.import_id FROM importer.inbox i JOIN public.imports p ON p.id = i.import_id AND p.uuid = i.uuid
                WHERE i.uuid = w.uuid AND i.inserted AND p.stage = 'Import Pending' ORDER BY i.id + 0 DESC LIMIT 1), -- not by the index on id
               (SELECT o.import_id FROM importer.orders o JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
                WHERE o.uuid = w.uuid AND p.stage = 'Import Pending'),
               (SELECT min(p.id) FROM importer.inbox i JOIN public.imports p ON p.id = i.import_id AND p.uuid = i.uuid
                WHERE i.uuid = w.uuid AND p.stage = 'Import Pending')) AS import_id,
           (SELECT array_agg(i.id) FROM importer.inbox i WHERE i.uuid = w.uuid) AS rows,
           (SELECT min(i.placed_at) FROM importer.inbox i WHERE i.uuid = w.uuid) AS placed_at
    FROM (SELECT uuid, min(id) AS first, min(destination) AS destination FROM picked GROUP BY uuid) w
), o AS (
    INSERT INTO importer.orders AS o (uuid, import_id, destination, attempt, state, agent, run, queued_at, started_at, round)
    SELECT uuid, import_id, destination, 1, 'running', $5, 1, placed_at, clock_timestamp(),
           coalesce((SELECT max(f.round) FROM importer.repository_filesets f WHERE f.order_uuid = wanted.uuid), 0) -- of one that was forgotten
    FROM wanted
    WHERE import_id IS NOT NULL AND fits ORDER BY uuid
    ON CONFLICT (uuid) DO UPDATE SET import_id = excluded.import_id, destination = excluded.destination,
        attempt = o.attempt + 1, state = 'running', agent = $5, run = o.run + 1,
        tries = 0, crashes = 0, cancelled = false, reason = '', due_at = NULL, queued_at = excluded.queued_at, started_at = clock_timestamp(), ended_at = NULL
        WHERE o.state IN ('completed', 'failed')
    RETURNING o.*
)
SELECT w.rows, w.import_id IS NOT NULL AND o.uuid IS NULL AS busy, NOT w.fits AS held, true AS fresh, ` + pendingColumns + `
FROM wanted w
LEFT JOIN o ON o.uuid = w.uuid
` + pendingTables + `
ORDER BY w.first`

// takeDue takes orders up again whose time has come. One that was never begun is
// of a version that queued orders before.
const takeDue = `
WITH due AS MATERIALIZED (
    SELECT uuid, started_at IS NULL AS fresh, due_at FROM importer.orders o
    WHERE ` + isDue + ` AND ` + fitsDue + ` ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), o AS (
    UPDATE importer.orders o SET state = 'running', agent = $3, run = o.run + 1, due_at = NULL,
        started_at = coalesce(o.started_at, clock_timestamp())
    FROM due WHERE o.uuid = due.uuid RETURNING o.*
)
SELECT NULL::bigint[], false, false, due.fresh, ` + pendingColumns + `
FROM due JOIN o ON o.uuid = due.uuid
` + pendingTables + `
ORDER BY due.due_at`

// Take has an agent take up orders: up to due of those to be tried again or
// resumed, and of each share as many as its Count says, but none for a destination
// that has as many as are allowed. It marks them as started,
// writing the stage only the first time, and returns what is to be done, and
// whether there may be more: rows that made no work are out of the way then.
// Agents take turns, so that each attempt is taken up once.
func (s *Store) Take(ctx context.Context, agent Agent, due int, turns []Share) (works []*Work, more bool, err error) {
	t := taken{agent: agent.Name}
	err = s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		// In two round trips. A connection given back amid a transaction is closed.
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		// Before any row is locked. A statement of its own: the snapshots of the next must
		// be younger than the lock.
		batch.Queue(beginTaking, len(turns) > 0 || agent.PerDestination > 0)
		if agent.PerDestination > 0 {
			due = min(due, 1) // two could be of one destination
		}
		if due > 0 {
			batch.Queue(takeDue, due, agent.PerDestination, agent.Name).Query(t.collect)
		}
		if len(turns) > 0 {
			ranks, groups, users, counts := make([]int16, len(turns)), make([]string, len(turns)), make([]string, len(turns)), make([]int, len(turns))
			for i, share := range turns {
				ranks[i], groups[i], users[i], counts[i] = int16(share.Rank), share.Group, share.User, share.Count //nolint:gosec // as read
			}
			batch.Queue(takePending, ranks, groups, users, counts, agent.Name, agent.PerDestination).Query(t.collect)
		}
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		batch, err := t.begin(ctx, conn)
		if err != nil {
			return err
		}
		batch.Queue("COMMIT")
		failpoint.Hit(failpoint.Taking)
		return conn.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, false, fmt.Errorf("taking up orders: %w", err)
	}
	return t.works, len(t.works)+len(t.done)+len(t.busy)+len(t.held) > 0, nil
}

// takeTurn keeps agents from taking up the same orders.
const takeTurn = `pg_advisory_xact_lock(hashtext('importer.claim'))`

// beginTaking takes that turn where new orders are to be taken up, or orders are counted. Lost in a crash of
// the server, a Take is as if it had not been, and so is all that follows from it: that
// is committed later.
const beginTaking = `SELECT set_config('synchronous_commit', 'off', true),
    CASE WHEN $1 THEN ` + takeTurn + ` END`

// dateRows dates the rows that clients left without a date: these sort before every
// stage of their order. Those that wait keep their place; one that its client still
// changes is left for the order's end.
const dateRows = `UPDATE public.imports SET "timestamp" = clock_timestamp() WHERE id IN (
    SELECT id FROM public.imports p WHERE uuid = ANY ($1) AND "timestamp" IS NULL
      AND NOT EXISTS (SELECT FROM importer.inbox i WHERE i.uuid = p.uuid AND i.import_id = p.id) FOR UPDATE SKIP LOCKED)`

// taken is what one Take has found.
type taken struct {
	agent string
	works []*Work
	fresh []*Work // those that begin, and not only go on
	// Rows of the inbox: of these orders, of those that have yet to end, and of those
	// that others for their destination keep waiting.
	done, busy, held []int64
}

func (t *taken) collect(rows pgx.Rows) error {
	var inbox []int64
	var busy, held, fresh bool
	var uuid *string
	var run, round, importID *int64
	var attempt, crashes, tries *int
	var cancelled *bool
	var row pendingRow
	_, err := pgx.ForEachRow(rows, []any{
		&inbox, &busy, &held, &fresh, &uuid, &run, &attempt, &crashes, &tries, &cancelled, &round, &importID, &row.id, &row.group, &row.user, &row.typ, &row.dest,
		&row.files, &row.description, &row.options, &row.container, &row.input, &row.output, &row.altOutput, &row.params,
	}, func() error {
		switch {
		case held:
			t.held = append(t.held, inbox...)
			return nil
		case busy:
			t.busy = append(t.busy, inbox...)
			return nil
		}
		t.done = append(t.done, inbox...)
		if uuid == nil {
			return nil
		}
		w := row.decode(*uuid)
		w.Job = Job{UUID: *uuid, Run: *run, Agent: t.agent}
		w.Attempt, w.Crashes, w.Tries, w.Cancelled, w.Round, w.importID = *attempt, *crashes, *tries, *cancelled, *round, *importID
		t.works = append(t.works, w)
		if fresh {
			t.fresh = append(t.fresh, w)
		}
		return nil
	})
	return err
}

// begin returns what is to be written of taking the orders up.
func (t *taken) begin(ctx context.Context, q querier) (*pgx.Batch, error) {
	if err := t.knownFiles(ctx, q); err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	if len(t.done) > 0 {
		batch.Queue(`DELETE FROM importer.inbox WHERE id = ANY ($1)`, t.done)
	}
	if len(t.busy) > 0 {
		batch.Queue(`UPDATE importer.inbox SET parked = true, held = false WHERE id = ANY ($1)`, t.busy)
	}
	if len(t.held) > 0 {
		batch.Queue(`UPDATE importer.inbox SET parked = true, held = true WHERE id = ANY ($1)`, t.held)
	}
	var uuids []string
	var stages stageRows
	for _, w := range t.fresh {
		uuids = append(uuids, w.Job.UUID)
		stages.add(w.Job.UUID, w.importID, "Import Started", nil, shortNames(w.Order.Files))
		w.queueKept(batch)
	}
	if len(uuids) > 0 {
		batch.Queue(dateRows, uuids)
		stages.queue(batch)
		batch.Queue(report, uuids)
	}
	return batch, nil
}

// knownFiles reads what earlier attempts and runs made of the orders' files.
func (t *taken) knownFiles(ctx context.Context, q querier) error {
	byUUID := map[string]*Work{}
	for _, w := range t.works {
		if w.Attempt > 1 || w.Job.Run > 1 {
			byUUID[w.Job.UUID] = w
		}
	}
	known := map[string][]File{}
	if len(byUUID) > 0 {
		uuids := make([]string, 0, len(byUUID))
		for uuid := range byUUID {
			uuids = append(uuids, uuid)
		}
		var err error
		if known, err = queryFiles(ctx, q, uuids...); err != nil {
			return err
		}
	}
	for _, w := range t.works {
		w.listFiles(known[w.Job.UUID])
	}
	return nil
}
