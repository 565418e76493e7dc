package tracking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
)

// End is how an attempt ends.
type End struct {
	Job    Job
	Stage  order.Stage // order.Completed or order.Failed
	Reason string      // for a failure: one sentence that the researcher can act on
	Names  *string     // as of Work
	Files  []File      // those whose state changed since they were last saved
}

// endOrders ends those that still belong to the run, with their last stage and what
// became of their files.
const endOrders = `
WITH n AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
        AS n (uuid, run, agent, state, stage, description, names, nth)` + inOneOrder + `
), ended AS (
    UPDATE importer.orders o SET state = n.state, reason = coalesce(n.description, ''), ended_at = clock_timestamp()
    FROM n WHERE ` + canBeWritten + `
    RETURNING n.nth, o.uuid, o.import_id, n.stage, n.description, n.names
), staged AS (` + appendStagesOf + `ended n` + repeatedRow + `
), saved AS (` + saveFilesOf + `
    unnest($8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[])
        AS f (uuid, ordinal, path, state, reason, filesets, images, plates, target, nth)
    WHERE (f.nth IN (SELECT nth FROM ended)) IS TRUE` + orReplaceFile + `
)
SELECT nth FROM ended`

// unpark makes due what came for orders while they were carried out. There may be room
// at a destination now. Whoever takes up orders locks these before their rows, as who ends
// them does; so the rows of one that is somebody else's are left alone.
const unpark = `
WITH freed AS (
    UPDATE importer.inbox i SET parked = false, held = false
    WHERE parked AND uuid = ANY ($1) AND (
        SELECT 1 FROM unnest($1::text[], $2::bigint[]) AS n (uuid, run) JOIN importer.orders o ON o.run = n.run
        WHERE n.uuid = i.uuid AND o.uuid = i.uuid AND o.state IN ('completed', 'failed') LIMIT 1) IS NOT NULL
    RETURNING 1
)
SELECT pg_notify('importer_orders', '') WHERE EXISTS (SELECT FROM freed) OR ` + heldBack

// heldBack is true while anything waits for room at a destination. Its order keeps it from
// the index of all that is parked.
const heldBack = `(SELECT true FROM importer.inbox WHERE held AND parked ORDER BY destination LIMIT 1) IS TRUE`

// maxEnds bounds the orders that one transaction ends. Between two of these more
// of them gather: nobody waits for an order's end to be written but its client.
const (
	maxEnds         = 200
	restBetweenEnds = 25 * time.Millisecond
)

// Finish ends an attempt: its stage, the order's state, its files and the due
// receipt together or not at all. Attempts that end at the same time share a
// transaction. ErrNotMine: somebody else has the order by now; ErrRowLocked: nobody
// can write of it for now; nothing was written then.
func (s *Store) Finish(ctx context.Context, end End) error {
	g, err := s.ending.Do(ctx, end)
	if err == nil {
		err = g.err()
	}
	if err != nil && !errors.Is(err, ErrNotMine) {
		return fmt.Errorf("ending order %s: %w", end.Job.UUID, err)
	}
	return err
}

// finish ends attempts, and says of each what hold its run still had of it.
func (s *Store) finish(ctx context.Context, ends []End) ([]grip, error) {
	n := len(ends)
	uuids, runs, agents, states := make([]string, n), make([]int64, n), make([]string, n), make([]string, n)
	stages, reasons, names := make([]string, n), make([]*string, n), make([]*string, n)
	var files fileRows
	var of []int64
	for i, e := range ends {
		uuids[i], runs[i], agents[i], states[i] = e.Job.UUID, e.Job.Run, e.Job.Agent, "completed"
		stages[i], names[i] = string(e.Stage), e.Names
		if e.Stage == order.Failed {
			reason := text(e.Reason)
			states[i], reasons[i] = "failed", &reason
		}
		files.add(e.Job.UUID, e.Files...)
		for range e.Files {
			of = append(of, int64(i+1))
		}
	}
	var written []int
	batch := &pgx.Batch{}
	batch.Queue(dateRows, uuids) // before the last stage
	args := append([]any{uuids, runs, agents, states, stages, reasons, names}, files.args()...)
	batch.Queue(endOrders, append(args, of)...).Query(collectInto(&written))
	// Of orders that belong to somebody else these say nothing that is not so.
	batch.Queue(report, uuids)
	batch.Queue(announce, uuids, runs)
	batch.Queue(unpark, uuids, runs)
	failpoint.Hit(failpoint.Ending)
	err := s.pool.SendBatch(ctx, batch).Close()
	failpoint.Hit(failpoint.Ended)
	if err != nil {
		return nil, err
	}
	return s.gripsOf(ctx, written, uuids, runs, agents)
}

// hold locks an order if it still belongs to the run.
const hold = `SELECT FROM importer.orders o WHERE uuid = $1 AND run = $2 AND agent = $3 AND ` + isRunning + ` FOR UPDATE`

// getsOn is for an order that gets on, whatever kills agents.
const getsOn = `UPDATE importer.orders SET crashes = 0 WHERE uuid = $1 AND crashes > 0`

// SaveFiles records what became of some files, so that no later run of the
// attempt, and no later attempt, imports them again.
func (s *Store) SaveFiles(ctx context.Context, job Job, files []File) error {
	return s.whileMine(ctx, job, "saving the files of", func(tx pgx.Tx) error {
		batch := saving(job, files)
		if slices.ContainsFunc(files, func(f File) bool { return f.State == FileImported }) {
			batch.Queue(getsOn, job.UUID)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// PutBack has an order taken up again after a while, by whoever is free then.
// tried says that it met a fault that may pass; otherwise it was interrupted. why is a
// sentence for who looks at the order meanwhile.
func (s *Store) PutBack(ctx context.Context, job Job, wait time.Duration, tried bool, why string, files []File) error {
	return s.whileMine(ctx, job, "putting back", func(tx pgx.Tx) error {
		batch := saving(job, files)
		batch.Queue(`UPDATE importer.orders SET state = 'queued', tries = tries + $3, reason = $4,
			due_at = clock_timestamp() + CASE WHEN cancelled AND $3 > 0 THEN interval '0' ELSE $2 END WHERE uuid = $1`,
			job.UUID, wait, map[bool]int{true: 1}[tried], text(why))
		batch.Queue(`SELECT pg_notify('importer_orders', '') WHERE $1 OR `+heldBack, wait == 0)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// whileMine writes of an order that still belongs to the run.
func (s *Store) whileMine(ctx context.Context, job Job, doing string, write func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, hold, job.UUID, job.Run, job.Agent)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotMine
		}
		return write(tx)
	})
	if err == nil || errors.Is(err, ErrNotMine) {
		return err
	}
	return fmt.Errorf("%s order %s: %w", doing, job.UUID, err)
}

// saving writes what became of some files.
func saving(job Job, files []File) *pgx.Batch {
	batch := &pgx.Batch{}
	var rows fileRows
	rows.add(job.UUID, files...)
	rows.queue(batch)
	return batch
}

// fileRows are rows of importer.files to be written. PostgreSQL has no ragged
// arrays of arrays: lists go as their text.
type fileRows struct {
	uuids, paths, states, reasons, filesets, images, plates, targets []string
	ordinals                                                         []int
}

func (r *fileRows) add(uuid string, files ...File) {
	for i := range files {
		f := &files[i]
		r.uuids, r.ordinals, r.paths = append(r.uuids, uuid), append(r.ordinals, f.Ordinal), append(r.paths, text(f.Path))
		r.states, r.reasons = append(r.states, string(f.State)), append(r.reasons, text(f.Reason))
		r.filesets, r.images, r.plates = append(r.filesets, list(f.Filesets)), append(r.images, list(f.Images)), append(r.plates, list(f.Plates))
		r.targets = append(r.targets, f.Target)
	}
}

func (r *fileRows) args() []any {
	return []any{r.uuids, r.ordinals, r.paths, r.states, r.reasons, r.filesets, r.images, r.plates, r.targets}
}

// saveFilesOf and orReplaceFile stand around the relation f of such rows.
const (
	saveFilesOf = `
INSERT INTO importer.files (order_uuid, ordinal, path, state, reason, filesets, images, plates, target)
SELECT f.uuid, f.ordinal, f.path, f.state, f.reason, f.filesets::bigint[], f.images::bigint[], f.plates::bigint[], f.target FROM `
	orReplaceFile = `
ON CONFLICT (order_uuid, ordinal) DO UPDATE SET path = excluded.path, state = excluded.state, reason = excluded.reason,
    filesets = excluded.filesets, images = excluded.images, plates = excluded.plates, target = excluded.target`
)

func (r *fileRows) queue(batch *pgx.Batch) {
	if len(r.uuids) == 0 {
		return
	}
	batch.Queue(saveFilesOf+`unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
		AS f (uuid, ordinal, path, state, reason, filesets, images, plates, target)`+orReplaceFile, r.args()...)
}
