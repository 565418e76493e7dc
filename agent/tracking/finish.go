package tracking

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Outcome is how an attempt ends.
type Outcome struct {
	Stage  order.Stage // order.Completed or order.Failed
	Reason string      // for a failure: one sentence that the researcher can act on
	Paths  []string    // the order's files; nil when its row could not be understood
	Files  []File      // those whose state changed since they were last saved
}

// SaveFiles records what became of some files, so that no later run of the
// attempt, and no later attempt, imports them again.
func (s *Store) SaveFiles(ctx context.Context, job Job, uuid string, files []File) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "WITH "+mine+" SELECT FROM mine", job.ID, job.Agent, job.Since)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotMine
		}
		batch := &pgx.Batch{}
		queueFiles(batch, uuid, files)
		return tx.SendBatch(ctx, batch).Close()
	})
	return wrapUnlessNotMine(err, "saving the files of order "+uuid)
}

// Finish ends an attempt: the stage, the order's state, its files, the due
// receipt and, through complete, the job end together or not at all.
func (s *Store) Finish(ctx context.Context, job Job, a Attempt, out Outcome, complete func(context.Context, pgx.Tx) error) error {
	state, description := "completed", (*string)(nil)
	if out.Stage == order.Failed {
		state = "failed"
		reason := text(out.Reason)
		description = &reason
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var importID int64
		err := tx.QueryRow(ctx, "WITH "+mine+`
			UPDATE importer.orders SET state = $6, reason = coalesce($7, ''), ended_at = clock_timestamp()
			FROM mine WHERE uuid = $4 AND attempt = $5 AND job_id = $1 AND importer.orders.state = 'running' RETURNING import_id`,
			job.ID, job.Agent, job.Since, a.UUID, a.Number, state, description).Scan(&importID)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotMine
		}
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(appendStage, importID, out.Stage, description, shortNames(out.Paths), a.UUID)
		queueFiles(batch, a.UUID, out.Files)
		batch.Queue(report, a.UUID)
		// Rows that came for this order while it ran are due now.
		batch.Queue(`SELECT pg_notify('importer_orders', '') WHERE EXISTS (SELECT FROM importer.inbox WHERE uuid = $1)`, a.UUID)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		return complete(ctx, tx)
	})
	return wrapUnlessNotMine(err, "ending order "+a.UUID)
}

func wrapUnlessNotMine(err error, doing string) error {
	if err == nil || errors.Is(err, ErrNotMine) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// queueFiles updates one row each. PostgreSQL has no ragged arrays of arrays,
// and a prepared statement repeated in a batch costs little more than a join.
func queueFiles(batch *pgx.Batch, uuid string, files []File) {
	for _, f := range files {
		batch.Queue(`UPDATE importer.files SET state = $3, reason = $4, filesets = $5, images = $6, plates = $7
			WHERE order_uuid = $1 AND ordinal = $2`,
			uuid, f.Ordinal, string(f.State), text(f.Reason), ids(f.Filesets), ids(f.Images), ids(f.Plates))
	}
}
