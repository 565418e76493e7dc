package tracking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Attempt is one try at an order, to be carried out by one job.
type Attempt struct {
	UUID   string
	Number int // from 1
}

// Enqueue inserts one job per attempt within tx and returns their ids in order.
type Enqueue func(ctx context.Context, tx pgx.Tx, due []Attempt) (jobs []int64, err error)

// claimLimit bounds a claim's transaction to about a tenth of a second.
const claimLimit = 1000

// due takes rows in the order in which they came, leaving those of an order of
// which an attempt still runs: they become due when it ends. A row inserted as
// pending is the order as its client last wrote it; where rows were set back
// instead, any of them holds the order's fields, so the one used before serves
// again. A uuid without import_id is one whose pending rows are gone. The
// state is a scalar subquery so that each row costs one index look-up, however
// many orders there have been.
const due = `
WITH waiting AS (
    SELECT uuid, min(id) AS first
    FROM (SELECT i.id, i.uuid FROM importer.inbox i
          WHERE coalesce((SELECT o.state FROM importer.orders o WHERE o.uuid = i.uuid), 'failed') IN ('completed', 'failed')
          ORDER BY i.id LIMIT $1) oldest
    GROUP BY uuid
)
SELECT w.uuid,
       coalesce((SELECT attempt FROM importer.orders o WHERE o.uuid = w.uuid), 0) + 1,
       coalesce(
           (SELECT i.import_id FROM importer.inbox i JOIN public.imports p ON p.id = i.import_id AND p.uuid = i.uuid
            WHERE i.uuid = w.uuid AND i.inserted AND p.stage = 'Import Pending' ORDER BY i.id DESC LIMIT 1),
           (SELECT o.import_id FROM importer.orders o JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
            WHERE o.uuid = w.uuid AND p.stage = 'Import Pending'),
           (SELECT min(p.id) FROM importer.inbox i JOIN public.imports p ON p.id = i.import_id AND p.uuid = i.uuid
            WHERE i.uuid = w.uuid AND p.stage = 'Import Pending')),
       (SELECT array_agg(i.id) FROM importer.inbox i WHERE i.uuid = w.uuid)
FROM waiting w ORDER BY w.first`

const take = `
WITH taken AS (
    INSERT INTO importer.orders AS o (uuid, import_id, attempt, state, job_id)
    SELECT uuid, import_id, attempt, 'queued', job_id
    FROM unnest($1::text[], $2::bigint[], $3::int[], $4::bigint[]) AS n (uuid, import_id, attempt, job_id)
    ON CONFLICT (uuid) DO UPDATE SET import_id = excluded.import_id, attempt = excluded.attempt, state = 'queued',
        job_id = excluded.job_id, reason = '', crashes = 0, queued_at = clock_timestamp(), started_at = NULL, ended_at = NULL
)
DELETE FROM importer.inbox WHERE id = ANY ($5)`

// Claim turns pending rows that are due into queued orders with a job each, in
// one transaction, and reports whether there may be more. Agents take turns,
// so that each attempt is claimed once.
func (s *Store) Claim(ctx context.Context, enqueue Enqueue) (more bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('importer.claim'))`); err != nil {
			return err
		}
		// A statement of its own: its snapshot must be younger than the lock.
		rows, err := tx.Query(ctx, due, claimLimit)
		if err != nil {
			return err
		}
		var attempts []Attempt
		var uuids []string
		var imports, consumed []int64
		var numbers []int
		var a Attempt
		var importID *int64
		var inbox []int64
		_, err = pgx.ForEachRow(rows, []any{&a.UUID, &a.Number, &importID, &inbox}, func() error {
			consumed = append(consumed, inbox...)
			if importID != nil {
				attempts = append(attempts, a)
				uuids, imports, numbers = append(uuids, a.UUID), append(imports, *importID), append(numbers, a.Number)
			}
			return nil
		})
		if err != nil || len(consumed) == 0 {
			return err
		}
		var jobs []int64
		if len(attempts) > 0 {
			if jobs, err = enqueue(ctx, tx, attempts); err != nil {
				return err
			}
		}
		more = len(consumed) >= claimLimit
		_, err = tx.Exec(ctx, take, uuids, imports, numbers, jobs, consumed)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claiming pending orders: %w", err)
	}
	return more, nil
}
