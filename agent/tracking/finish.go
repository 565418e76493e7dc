package tracking

import (
	"context"
	"errors"
	"fmt"
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
	Paths  []string    // the order's files; nil when its row could not be understood
	Files  []File      // those whose state changed since they were last saved
}

// endOrders ends those that still belong to the run, with their last stage and what
// became of their files. Rows are locked in one order, as Take does: two that wait
// for each other would wait for ever. (x IN …) IS TRUE is looked up in a hash table.
const endOrders = `
WITH mine AS MATERIALIZED (
    SELECT n.*, o.import_id
    FROM (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
              AS n (uuid, run, agent, state, stage, description, names, nth) ORDER BY uuid) n
    CROSS JOIN LATERAL (SELECT o.import_id FROM importer.orders o
                        WHERE o.uuid = n.uuid AND o.run = n.run AND o.agent = n.agent AND o.state = 'running' FOR UPDATE) o
), ended AS (
    UPDATE importer.orders o SET state = mine.state, reason = coalesce(mine.description, ''), ended_at = clock_timestamp()
    FROM mine WHERE o.uuid = mine.uuid
), staged AS (` + appendStagesOf + `mine n` + repeatedRow + `
), saved AS (` + saveFilesOf + `
    unnest($8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[])
        AS f (uuid, ordinal, path, state, reason, filesets, images, plates, target, nth)
    WHERE (f.nth IN (SELECT nth FROM mine)) IS TRUE` + orReplaceFile + `
)
SELECT nth FROM mine`

// unpark makes due what came for orders while they were carried out, and what was
// held back for them.
const unpark = `
WITH freed AS (UPDATE importer.inbox SET parked = false, held = false WHERE parked AND uuid = ANY ($1) RETURNING 1),
released AS (` + releaseOf + `SELECT destination, count(*) AS n FROM importer.orders WHERE uuid = ANY ($1) GROUP BY destination` + releaseHeld + ` RETURNING 1)
SELECT pg_notify('importer_orders', '') WHERE EXISTS (SELECT FROM freed) OR EXISTS (SELECT FROM released)`

// maxEnds bounds the orders that one transaction ends. Between two of these more
// of them gather: nobody waits for an order's end to be written but its client.
const (
	maxEnds         = 200
	restBetweenEnds = 5 * time.Millisecond
)

// Finish ends an attempt: its stage, the order's state, its files and the due
// receipt together or not at all. Attempts that end at the same time share a
// transaction. handed, if any, is called when only that is left to be waited for.
// ErrNotMine: somebody else has the order by now, and nothing was written.
func (s *Store) Finish(ctx context.Context, end End, handed func()) error {
	mine, err := s.ending.Do(ctx, end, handed)
	if err != nil {
		return fmt.Errorf("ending order %s: %w", end.Job.UUID, err)
	}
	if !mine {
		return ErrNotMine
	}
	return nil
}

// finish ends attempts, and says of each whether it was still its run's.
func (s *Store) finish(ctx context.Context, ends []End) (mine []bool, err error) {
	n := len(ends)
	uuids, runs, agents, states := make([]string, n), make([]int64, n), make([]string, n), make([]string, n)
	stages, reasons, names := make([]string, n), make([]*string, n), make([]*string, n)
	var files fileRows
	var of []int64
	for i, e := range ends {
		uuids[i], runs[i], agents[i], states[i] = e.Job.UUID, e.Job.Run, e.Job.Agent, "completed"
		stages[i], names[i] = string(e.Stage), shortNames(e.Paths)
		if e.Stage == order.Failed {
			reason := text(e.Reason)
			states[i], reasons[i] = "failed", &reason
		}
		files.add(e.Job.UUID, e.Files)
		for range e.Files {
			of = append(of, int64(i+1))
		}
	}
	mine = make([]bool, n)
	batch := &pgx.Batch{}
	batch.Queue(dateRows, uuids) // before the last stage
	args := append([]any{uuids, runs, agents, states, stages, reasons, names}, files.args()...)
	batch.Queue(endOrders, append(args, of)...).Query(func(rows pgx.Rows) error {
		var nth int
		_, err := pgx.ForEachRow(rows, []any{&nth}, func() error {
			mine[nth-1] = true
			return nil
		})
		return err
	})
	// Of orders that belong to somebody else these say nothing that is not so.
	batch.Queue(report, uuids)
	batch.Queue(unpark, uuids)
	failpoint.Hit(failpoint.Ending)
	err = s.pool.SendBatch(ctx, batch).Close()
	failpoint.Hit(failpoint.Ended)
	return mine, err
}

// hold locks an order if it still belongs to the run.
const hold = `SELECT FROM importer.orders WHERE uuid = $1 AND run = $2 AND agent = $3 AND state = 'running' FOR UPDATE`

// SaveFiles records what became of some files, so that no later run of the
// attempt, and no later attempt, imports them again.
func (s *Store) SaveFiles(ctx context.Context, job Job, files []File) error {
	return s.whileMine(ctx, job, "saving the files of order "+job.UUID, files, func(*pgx.Batch) {})
}

// PutBack has an order taken up again after a while, by whoever is free then.
// tried says that it met a fault that may pass; otherwise it was interrupted.
func (s *Store) PutBack(ctx context.Context, job Job, wait time.Duration, tried bool, files []File) error {
	return s.whileMine(ctx, job, "putting back order "+job.UUID, files, func(batch *pgx.Batch) {
		batch.Queue(`UPDATE importer.orders SET state = 'queued', tries = tries + $3,
			due_at = clock_timestamp() + CASE WHEN cancelled THEN interval '0' ELSE $2 END WHERE uuid = $1`,
			job.UUID, wait, map[bool]int{true: 1}[tried])
		batch.Queue(unpark, []string{job.UUID})
		if wait == 0 {
			batch.Queue(`SELECT pg_notify('importer_orders', '')`)
		}
	})
}

func (s *Store) whileMine(ctx context.Context, job Job, doing string, files []File, more func(*pgx.Batch)) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, hold, job.UUID, job.Run, job.Agent)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotMine
		}
		batch := &pgx.Batch{}
		var rows fileRows
		rows.add(job.UUID, files)
		rows.queue(batch)
		more(batch)
		if batch.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err == nil || errors.Is(err, ErrNotMine) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// fileRows are rows of importer.files to be written. PostgreSQL has no ragged
// arrays of arrays: lists go as their text.
type fileRows struct {
	uuids, paths, states, reasons, filesets, images, plates, targets []string
	ordinals                                                         []int
}

func (r *fileRows) add(uuid string, files []File) {
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
