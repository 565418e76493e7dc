package tracking

import (
	"context"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// newRound has all of an order done again; one that was forgotten is known again.
const newRound = `
WITH forgotten AS (DELETE FROM importer.files WHERE order_uuid = $1)
INSERT INTO importer.orders AS o (uuid, import_id, attempt, state, round)
VALUES ($1, $2, 0, 'failed', (1000000 * extract(epoch FROM clock_timestamp()))::bigint)
ON CONFLICT (uuid) DO UPDATE SET round = greatest(o.round + 1, excluded.round), mark = ''`

// Retry asks for another attempt at an order that has ended, by a new pending
// row; with all, also of its files that were imported. An unknown or unfinished
// order is an Invalid error.
func (s *Store) Retry(ctx context.Context, uuid string, all bool) error {
	return s.changeOrder(ctx, "retrying", uuid, func(tx pgx.Tx, state string) error {
		if state == "queued" || state == "running" {
			return order.Errorf(order.Invalid, "Order %s has not ended: it can be retried once it has.", uuid)
		}
		var stage *order.Stage
		var row *int64
		err := tx.QueryRow(ctx, `SELECT
			(SELECT stage FROM public.imports WHERE uuid = $1 ORDER BY "timestamp" DESC NULLS LAST, id DESC LIMIT 1),
			coalesce((SELECT import_id FROM importer.orders WHERE uuid = $1), (SELECT min(id + 0) FROM public.imports WHERE uuid = $1))`,
			uuid).Scan(&stage, &row)
		switch {
		case err != nil:
			return err
		case stage == nil:
			return unknown(uuid)
		case !stage.Ended():
			return order.Errorf(order.Invalid, "Order %s is at %q: it can be retried once it has ended.", uuid, *stage)
		}
		batch := &pgx.Batch{}
		if all {
			batch.Queue(newRound, uuid, row)
		}
		var stages stageRows
		stages.add(uuid, *row, order.Pending, nil, nil)
		stages.queue(batch)
		return tx.SendBatch(ctx, batch).Close()
	})
}
