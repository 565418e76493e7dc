package tracking

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Who does one of these things waits for its turn, to the end of its transaction. That is a
// statement of its own: the snapshots of the next must be younger than the lock.
const (
	// takeTurn keeps agents from taking up the same orders.
	takeTurn = `SELECT pg_advisory_xact_lock(hashtext('importer.claim'))`
	// settleTurn is for who locks several deliveries: two at a time could wait for each other,
	// or divide what was tried together.
	settleTurn = `SELECT pg_advisory_xact_lock(hashtext('importer.deliveries'))`
)

// execInTurn executes a statement in its turn, and returns how many rows it was about.
func (s *Store) execInTurn(ctx context.Context, turn, sql string, args ...any) (n int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue(turn)
	batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		n = tag.RowsAffected()
		return nil
	})
	err = s.pool.SendBatch(ctx, batch).Close()
	return n, err
}
