package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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

// endOrders ends those that still belong to the run. Rows are locked in one order,
// as Take does: two that wait for each other would wait for ever.
const endOrders = `
WITH mine AS (
    SELECT n.uuid, n.state, n.reason
    FROM (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS n (uuid, run, agent, state, reason) ORDER BY uuid) n
    CROSS JOIN LATERAL (SELECT FROM importer.orders o WHERE o.uuid = n.uuid AND o.run = n.run AND o.agent = n.agent AND o.state = 'running' FOR UPDATE) o
)
UPDATE importer.orders o SET state = mine.state, reason = mine.reason, ended_at = clock_timestamp()
FROM mine WHERE o.uuid = mine.uuid RETURNING o.uuid, o.run, o.agent, o.import_id`

// unpark makes due what came for orders while they were carried out.
const unpark = `
WITH freed AS (UPDATE importer.inbox SET parked = false WHERE parked AND uuid = ANY ($1) RETURNING 1)
SELECT pg_notify('importer_orders', '') WHERE EXISTS (SELECT FROM freed)`

// maxEnds bounds the orders that one transaction ends.
const maxEnds = 200

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
	uuids, runs, agents := make([]string, len(ends)), make([]int64, len(ends)), make([]string, len(ends))
	states, reasons := make([]string, len(ends)), make([]string, len(ends))
	for i, e := range ends {
		uuids[i], runs[i], agents[i], states[i] = e.Job.UUID, e.Job.Run, e.Job.Agent, "completed"
		if e.Stage == order.Failed {
			states[i], reasons[i] = "failed", text(e.Reason)
		}
	}
	mine = make([]bool, len(ends))
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, endOrders, uuids, runs, agents, states, reasons)
		if err != nil {
			return err
		}
		imports := make(map[Job]int64, len(ends))
		var job Job
		var importID int64
		if _, err := pgx.ForEachRow(rows, []any{&job.UUID, &job.Run, &job.Agent, &importID}, func() error {
			imports[job] = importID
			return nil
		}); err != nil || len(imports) == 0 {
			return err
		}
		var ended []string
		var stages stageRows
		var files fileRows
		for i, e := range ends {
			importID, ok := imports[e.Job]
			if mine[i] = ok; !ok {
				continue
			}
			var description *string
			if e.Stage == order.Failed {
				description = &reasons[i]
			}
			ended = append(ended, e.Job.UUID)
			stages.add(e.Job.UUID, importID, e.Stage, description, shortNames(e.Paths))
			files.add(e.Job.UUID, e.Files)
		}
		batch := &pgx.Batch{}
		stages.queue(batch)
		files.queue(batch)
		batch.Queue(dateRows, ended)
		batch.Queue(report, ended)
		batch.Queue(unpark, ended)
		return tx.SendBatch(ctx, batch).Close()
	})
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
		batch.Queue(`SELECT pg_notify('importer_orders', '')`)
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

func (r *fileRows) queue(batch *pgx.Batch) {
	if len(r.uuids) == 0 {
		return
	}
	batch.Queue(`INSERT INTO importer.files (order_uuid, ordinal, path, state, reason, filesets, images, plates, target)
		SELECT uuid, ordinal, path, state, reason, filesets::bigint[], images::bigint[], plates::bigint[], target
		FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
		    AS n (uuid, ordinal, path, state, reason, filesets, images, plates, target)
		ON CONFLICT (order_uuid, ordinal) DO UPDATE SET path = excluded.path, state = excluded.state, reason = excluded.reason,
		    filesets = excluded.filesets, images = excluded.images, plates = excluded.plates, target = excluded.target`,
		r.uuids, r.ordinals, r.paths, r.states, r.reasons, r.filesets, r.images, r.plates, r.targets)
}
