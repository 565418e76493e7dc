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

// ErrHeld says that another agent has the lock.
var ErrHeld = errors.New("another agent holds it already")

// Hold takes the lock of the agent of this name; ErrHeld where another agent has it.
func (s *Store) Hold(ctx context.Context, agent string) (*Hold, error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("connecting for the agent's lock: %w", err)
	}
	var got bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, hashtext($2))`, agentLocks, agent).Scan(&got)
	if err == nil && !got {
		err = ErrHeld
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("taking the agent's lock: %w", err)
	}
	return &Hold{conn: conn}, nil
}

// CheckTime bounds how long Check waits for an answer.
const CheckTime = 2 * time.Second

// Check returns an error when the lock is lost, or may be.
func (h *Hold) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, CheckTime)
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

// lockFree is a condition on an agent's name: nobody holds its lock.
const lockFree = `NOT EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid::bigint = $1 AND l.objid::bigint = hashtext(agent)::bigint & 4294967295)`

// Dead names the agents that have orders and hold no lock. One that has only just
// lost its connection may still be at work, see Rescue.
func (s *Store) Dead(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT agent FROM (SELECT DISTINCT agent FROM importer.orders WHERE state = 'running') AS working
		WHERE `+lockFree, agentLocks)
	if err != nil {
		return nil, fmt.Errorf("looking for agents that are gone: %w", err)
	}
	dead, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for agents that are gone: %w", err)
	}
	return dead, nil
}

// GiveBack has the orders of agents taken up again that stopped in good order, but
// without the database, and so could not say it of each. They did not crash.
func (s *Store) GiveBack(ctx context.Context, agents []string) error {
	if len(agents) == 0 {
		return nil
	}
	// As inOneOrder, but by an expression: for the column's order the index of all orders could
	// be read.
	_, err := s.pool.Exec(ctx, `UPDATE importer.orders SET state = 'queued', due_at = clock_timestamp() WHERE uuid = ANY (ARRAY (
		SELECT uuid FROM importer.orders WHERE state = 'running' AND agent = ANY ($1) ORDER BY uuid || '' FOR UPDATE))`, agents)
	if err != nil {
		return fmt.Errorf("giving back orders of %d agents that stopped: %w", len(agents), err)
	}
	return nil
}

// Hasten has orders tried again now that wait for longer than any of them was told to:
// the database's clock went back.
func (s *Store) Hasten(ctx context.Context, longest time.Duration) error {
	_, err := s.pool.Exec(ctx, `UPDATE importer.orders SET due_at = clock_timestamp()
		WHERE state = 'queued' AND due_at > statement_timestamp() + $1::interval`, longest)
	if err != nil {
		return fmt.Errorf("looking for orders whose time is far away: %w", err)
	}
	return nil
}

// Rescue has the orders of agents that are gone taken up again, and returns how
// many they are. Who asks for it has to have seen the agents without their lock for
// longer than it takes one that is alive to notice that and to stop. Orders that a
// worker was at may have killed their agent, unless it is one of the living.
func (s *Store) Rescue(ctx context.Context, agents, living []string) (int, error) {
	rows, err := s.pool.Query(ctx, `
		WITH orphans AS (
			SELECT uuid FROM importer.orders WHERE state = 'running' AND agent = ANY ($2) AND `+lockFree+` FOR UPDATE SKIP LOCKED
		), freed AS (
			UPDATE importer.orders o SET state = 'queued', due_at = clock_timestamp(),
			    crashes = crashes + CASE WHEN o.begun AND (o.agent = ANY ($3)) IS NOT TRUE THEN 1 ELSE 0 END
			FROM orphans WHERE o.uuid = ANY (ARRAY[orphans.uuid]) RETURNING 1
		)
		SELECT count(*), pg_notify('importer_orders', '') FROM freed`, agentLocks, agents, living)
	if err != nil {
		return 0, fmt.Errorf("rescuing the orders of agents that are gone: %w", err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (n int, err error) { return n, row.Scan(&n, nil) })
	if err != nil {
		return 0, fmt.Errorf("rescuing the orders of agents that are gone: %w", err)
	}
	return n, nil
}
