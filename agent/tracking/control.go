package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"biomero-importer/agent/order"
)

// cancelled is what a researcher reads of an order that somebody cancelled.
const cancelled = "The order was cancelled."

// Cancel ends an order, whatever it waits for. One that is carried out is ended by
// the agent at it; until then it is as it was. An unknown order, or one that has
// ended, is an Invalid error.
func (s *Store) Cancel(ctx context.Context, uuid string) error {
	return s.changeOrder(ctx, "cancelling", uuid, func(tx pgx.Tx, state string) error {
		tag, err := tx.Exec(ctx, `DELETE FROM importer.inbox WHERE uuid = $1`, uuid)
		if err != nil {
			return err
		}
		switch {
		case state == "running":
			_, err = tx.Exec(ctx, `WITH told AS (UPDATE importer.orders SET cancelled = true WHERE uuid = $1 RETURNING 1)
				SELECT pg_notify('importer_orders', '') FROM told`, uuid)
			return err
		case state == "queued", tag.RowsAffected() > 0:
			return endUnbegun(ctx, tx, uuid)
		case state == "":
			return unknown(uuid)
		}
		return order.Errorf(order.Invalid, "Order %s has ended: there is nothing to cancel.", uuid)
	})
}

// changeOrder changes an order that nobody takes up, ends or changes meanwhile; its
// state is empty where it has had no attempt. An Invalid error of do is returned as
// it is.
func (s *Store) changeOrder(ctx context.Context, doing, uuid string, do func(tx pgx.Tx, state string) error) error {
	if uuid != text(uuid) {
		return unknown(uuid)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, takeTurn); err != nil {
			return err
		}
		// All agents wait for their turn meanwhile.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1s'"); err != nil {
			return err
		}
		var state string
		err := tx.QueryRow(ctx, `SELECT state FROM importer.orders WHERE uuid = $1 FOR UPDATE`, uuid).Scan(&state)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return do(tx, state)
	})
	if order.ClassOf(err) == order.Invalid {
		return err
	}
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == lockTimeout {
		return order.Errorf(order.Busy, "%s order %s: another client of the database keeps its rows locked; try again later: %w", doing, uuid, err)
	}
	if err != nil {
		return fmt.Errorf("%s order %s: %w", doing, uuid, err)
	}
	return nil
}

// lockTimeout is PostgreSQL's SQLSTATE for a lock that was not got in time.
const lockTimeout = "55P03"

// endUnbegun ends an order that nobody carries out.
func endUnbegun(ctx context.Context, tx pgx.Tx, uuid string) error {
	var importID, run int64
	err := tx.QueryRow(ctx, `
		INSERT INTO importer.orders AS o (uuid, import_id, attempt, state, reason, run, ended_at)
		SELECT $1, max(id + 0), 1, 'failed', $2, 1, clock_timestamp() FROM public.imports WHERE uuid = $1 HAVING max(id + 0) IS NOT NULL
		ON CONFLICT (uuid) DO UPDATE SET state = 'failed', reason = $2, run = o.run + 1, due_at = NULL, ended_at = clock_timestamp(),
		    attempt = o.attempt + CASE WHEN o.state = 'queued' THEN 0 ELSE 1 END,
		    import_id = CASE WHEN o.state = 'queued' THEN o.import_id ELSE excluded.import_id END
		RETURNING import_id, run`, uuid, cancelled).Scan(&importID, &run)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // its rows are gone, and now it is too
	}
	if err != nil {
		return err
	}
	reason := cancelled
	var stages stageRows
	stages.add(uuid, importID, order.Failed, &reason, nil)
	batch := &pgx.Batch{}
	batch.Queue(dateRows, []string{uuid})
	stages.queue(batch)
	batch.Queue(report, []string{uuid})
	batch.Queue(announce, []string{uuid}, []int64{run})
	return tx.SendBatch(ctx, batch).Close()
}

// Pause is what is not taken up for now. An empty name stands for all.
type Pause struct {
	Group string    `json:"group"`
	User  string    `json:"user"`
	Since time.Time `json:"since"`
}

// Pause keeps orders of a group, a user or everybody from being taken up until
// Resume. Those that are being carried out go on.
func (s *Store) Pause(ctx context.Context, group, user string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO importer.pauses (group_name, user_name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, text(group), text(user))
	if err != nil {
		return fmt.Errorf("pausing orders: %w", err)
	}
	return nil
}

// Resume ends a pause. One that there is not is an Invalid error.
func (s *Store) Resume(ctx context.Context, group, user string) error {
	tag, err := s.pool.Exec(ctx, `WITH ended AS (DELETE FROM importer.pauses WHERE group_name = $1 AND user_name = $2 RETURNING 1)
		SELECT pg_notify('importer_orders', '') FROM ended`, text(group), text(user))
	if err != nil {
		return fmt.Errorf("resuming orders: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return order.Errorf(order.Invalid, "There is no such pause; `biomero-importer order pause --list` lists those there are.")
	}
	return nil
}

// Pauses lists what is paused, the oldest first.
func (s *Store) Pauses(ctx context.Context) ([]Pause, error) {
	rows, err := s.pool.Query(ctx, `SELECT group_name, user_name, since FROM importer.pauses ORDER BY since`)
	if err != nil {
		return nil, fmt.Errorf("listing pauses: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Pause])
	if err != nil {
		return nil, fmt.Errorf("listing pauses: %w", err)
	}
	return list, nil
}
