package tracking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// maxCounted bounds what Counts counts of each kind.
const maxCounted = 100_000

const countNow = `
SELECT 'Import Pending', count(*) FROM (SELECT FROM importer.inbox WHERE id > 0 ORDER BY placed_at LIMIT $1) i
UNION ALL
SELECT stage, count(*) FROM (
    SELECT CASE WHEN started_at IS NULL THEN 'Import Pending' WHEN preprocessed = attempt THEN 'Import Preprocessing' ELSE 'Import Started' END AS stage
    FROM (SELECT * FROM importer.orders WHERE state = 'running' UNION ALL
          SELECT * FROM importer.orders WHERE state = 'queued' AND attempt >= 0) o LIMIT $1) o
GROUP BY stage`

// Counts returns how many orders that have not ended are in each stage: how many have
// would take a look at all history. It counts up to 100,000 of those that wait, rows that
// ask for one order again included, and of those that were taken up.
func (s *Store) Counts(ctx context.Context) (map[order.Stage]int64, error) {
	rows, err := s.pool.Query(ctx, countNow, maxCounted)
	if err != nil {
		return nil, fmt.Errorf("counting orders: %w", err)
	}
	counts := map[order.Stage]int64{order.Pending: 0, order.Started: 0, order.Preprocessing: 0}
	var stage order.Stage
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&stage, &n}, func() error {
		counts[stage] += n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting orders: %w", err)
	}
	return counts, nil
}
