package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// agentLocks is the first half of the advisory locks that agents hold; the
// second is a hash of their name. "BIOM" in ASCII.
const agentLocks = 0x42494f4d

// Hold is an agent's proof of life: a session lock on a connection of its own,
// gone the instant that the process or its connection is.
type Hold struct {
	conn *pgx.Conn
}

// Hold takes the lock of the agent of this name.
func (s *Store) Hold(ctx context.Context, agent string) (*Hold, error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("connecting for the agent's lock: %w", err)
	}
	var got bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, hashtext($2))`, agentLocks, agent).Scan(&got)
	if err == nil && !got {
		err = errors.New("another agent holds it already")
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("taking the agent's lock: %w", err)
	}
	return &Hold{conn: conn}, nil
}

// Check returns an error when the lock is lost.
func (h *Hold) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.conn.Ping(ctx); err != nil {
		return fmt.Errorf("the agent's lock is lost: %w", err)
	}
	return nil
}

// Release gives the lock up.
func (h *Hold) Release(ctx context.Context) error { return h.conn.Close(ctx) }

// Rescue gives the jobs of agents that are no more back to the queue, without
// counting the interrupted run, and returns how many.
func (s *Store) Rescue(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE importer.river_job j SET state = 'available', attempt = greatest(attempt - 1, 0), scheduled_at = now()
		WHERE state = 'running' AND NOT EXISTS (
			SELECT FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
			  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			  AND l.classid::bigint = $1
			  AND l.objid::bigint = hashtext(j.attempted_by[array_upper(j.attempted_by, 1)])::bigint & 4294967295)`, agentLocks)
	if err != nil {
		return 0, fmt.Errorf("rescuing the jobs of dead agents: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Requeue makes a new job for each running order whose job is gone or ended
// without ending the order, as after a crash of the worker's own code on its
// last try, and returns how many. Such an order is taken up where it stood.
func (s *Store) Requeue(ctx context.Context, enqueue Enqueue) (int, error) {
	requeued := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT o.uuid, o.attempt FROM importer.orders o
			LEFT JOIN importer.river_job j ON j.id = o.job_id
			WHERE o.state = 'running' AND (j.id IS NULL OR j.state IN ('completed', 'cancelled', 'discarded'))
			ORDER BY o.uuid LIMIT $1 FOR UPDATE OF o SKIP LOCKED`, claimLimit)
		if err != nil {
			return err
		}
		orphans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Attempt])
		if err != nil || len(orphans) == 0 {
			return err
		}
		jobs, err := enqueue(ctx, tx, orphans)
		if err != nil {
			return err
		}
		requeued = len(jobs)
		for i, a := range orphans {
			if _, err := tx.Exec(ctx, `UPDATE importer.orders SET job_id = $2 WHERE uuid = $1`, a.UUID, jobs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("requeueing orders that lost their job: %w", err)
	}
	return requeued, nil
}
