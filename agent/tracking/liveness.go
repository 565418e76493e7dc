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
// gone when the process is, and within seconds of its machine or network.
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

// Release gives the lock up. It must not run beside Check.
func (h *Hold) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return h.conn.Close(ctx)
}

// takeTurns keeps two agents from rescuing the same orders.
const takeTurns = `SELECT pg_advisory_xact_lock(hashtext('importer.rescue'))`

// Rescue ends the jobs of agents that are no more, and gives their orders new
// ones, so that whatever a stale run still does to its job hits a dead one. It
// returns how many it found.
func (s *Store) Rescue(ctx context.Context, enqueue Enqueue) (int, error) {
	rescued := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, takeTurns); err != nil {
			return err
		}
		var dead []int64
		var owners []string
		rows, err := tx.Query(ctx, `
			SELECT id, attempted_by[array_upper(attempted_by, 1)] FROM importer.river_job j
			WHERE state = 'running' AND NOT EXISTS (
				SELECT FROM pg_locks l
				WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
				  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
				  AND l.classid::bigint = $1
				  AND l.objid::bigint = hashtext(j.attempted_by[array_upper(j.attempted_by, 1)])::bigint & 4294967295)`, agentLocks)
		if err != nil {
			return err
		}
		var id int64
		var owner string
		if _, err = pgx.ForEachRow(rows, []any{&id, &owner}, func() error {
			dead, owners = append(dead, id), append(owners, owner)
			return nil
		}); err != nil || len(dead) == 0 {
			return err
		}
		// The owner again: the row may have changed hands since it was read.
		rows, err = tx.Query(ctx, `
			WITH ended AS (
				UPDATE importer.river_job j SET state = 'cancelled', finalized_at = now()
				FROM unnest($1::bigint[], $2::text[]) AS d (id, owner)
				WHERE j.id = d.id AND j.state = 'running' AND j.attempted_by[array_upper(j.attempted_by, 1)] = d.owner
				RETURNING j.id
			)
			UPDATE importer.orders o SET crashes = crashes + 1 FROM ended
			WHERE o.job_id = ended.id AND o.state IN ('queued', 'running') RETURNING o.uuid, o.attempt`, dead, owners)
		if err != nil {
			return err
		}
		rescued, err = requeue(ctx, tx, rows, enqueue)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("rescuing the orders of dead agents: %w", err)
	}
	return rescued, nil
}

// Requeue makes a new job for each queued or running order whose job is gone
// or ended without ending the order, and returns how many there were. Such an
// order is taken up where it stood.
func (s *Store) Requeue(ctx context.Context, enqueue Enqueue) (int, error) {
	requeued := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, takeTurns); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT o.uuid, o.attempt FROM importer.orders o
			LEFT JOIN importer.river_job j ON j.id = o.job_id
			WHERE o.state IN ('queued', 'running') AND (j.id IS NULL OR j.state IN ('completed', 'cancelled', 'discarded'))
			ORDER BY o.uuid LIMIT $1 FOR UPDATE OF o SKIP LOCKED`, claimLimit)
		if err != nil {
			return err
		}
		requeued, err = requeue(ctx, tx, rows, enqueue)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("requeueing orders that lost their job: %w", err)
	}
	return requeued, nil
}

// GiveBack ends a run that was interrupted: its job is over, and its order has
// a new one. ErrNotMine: somebody else has it already.
func (s *Store) GiveBack(ctx context.Context, job Job, a Attempt, enqueue Enqueue) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "WITH "+mine+`
			UPDATE importer.river_job SET state = 'cancelled', finalized_at = now() FROM mine WHERE id = $1`, job.ID, job.Agent, job.Since)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotMine
		}
		rows, err := tx.Query(ctx, `SELECT uuid, attempt FROM importer.orders
			WHERE uuid = $1 AND attempt = $2 AND job_id = $3 AND state IN ('queued', 'running')`, a.UUID, a.Number, job.ID)
		if err != nil {
			return err
		}
		_, err = requeue(ctx, tx, rows, enqueue)
		return err
	})
	return wrapUnlessNotMine(err, "giving back order "+a.UUID)
}

// requeue gives the orders that rows lists new jobs.
func requeue(ctx context.Context, tx pgx.Tx, rows pgx.Rows, enqueue Enqueue) (int, error) {
	orphans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Attempt])
	if err != nil || len(orphans) == 0 {
		return 0, err
	}
	jobs, err := enqueue(ctx, tx, orphans)
	if err != nil {
		return 0, err
	}
	uuids := make([]string, len(orphans))
	for i := range orphans {
		uuids[i] = orphans[i].UUID
	}
	_, err = tx.Exec(ctx, `UPDATE importer.orders o SET job_id = n.job_id
		FROM unnest($1::text[], $2::bigint[]) AS n (uuid, job_id) WHERE o.uuid = n.uuid`, uuids, jobs)
	return len(orphans), err
}
