package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/failpoint"
)

// ErrRowLocked says that the order's stage cannot be written for now: another client
// keeps the row of its converter locked, which stages refer to.
var ErrRowLocked = errors.New("another client of the database keeps the order's row in imports_preprocessing locked")

// grip is what hold a run has of its order.
type grip int

const (
	lost   grip = iota // the order is somebody else's
	locked             // it is the run's, and nobody can write its stage
	held
)

func (g grip) err() error {
	switch g {
	case lost:
		return ErrNotMine
	case locked:
		return ErrRowLocked
	default:
		return nil
	}
}

// What writes of runs writes to the orders o of n, a relation of runs, that these still
// hold: in the order of n, which is that of their uuids, since it looks each up from there.
// Two transactions that wait for each other would wait for ever.
const (
	inOneOrder = ` ORDER BY uuid`

	// isHeld is of an order o and a run n. o.uuid = n.uuid would make the order of the index
	// on uuids useful: while there are few orders, the planner goes through all of it instead,
	// for each run, and that plan is kept while they become many. An array of one uuid has no
	// order to make use of. So no statement of what is done with orders joins a table by
	// equality: it is this, a LATERAL query with LIMIT, or a subquery; and it says nothing by
	// which an index that serves somebody else could be read, see isRunning.
	isHeld = `o.uuid = ANY (ARRAY[n.uuid]) AND o.run = n.run AND o.agent = n.agent AND ` + isRunning

	// isRunning is of an order o that is looked up by its uuid. The planner takes the index
	// of those that run for shorter than it is, and would read all of it for each of them.
	isRunning = `coalesce(o.state, '') = 'running'`

	// isFree is of an order o: the row that its stage refers to is not locked. That is found
	// out without waiting for it, since others would wait too. No part of it is a join, which
	// could begin with all rows of a table that had few when it was planned.
	isFree = `(
        SELECT (SELECT c.id FROM public.imports_preprocessing c WHERE c.id = p.preprocessing_id) IS NOT DISTINCT FROM
               (SELECT c.id FROM public.imports_preprocessing c WHERE c.id = p.preprocessing_id FOR KEY SHARE SKIP LOCKED)
        FROM public.imports p WHERE p.id = o.import_id) IS NOT FALSE`

	canBeWritten = isHeld + ` AND ` + isFree
)

// stillHeld is which of the runs hold their orders.
const stillHeld = `
SELECT n.nth FROM unnest($1::text[], $2::bigint[], $3::text[]) WITH ORDINALITY AS n (uuid, run, agent, nth)
CROSS JOIN LATERAL (SELECT FROM importer.orders o WHERE ` + isHeld + ` LIMIT 1) o`

// gripsOf tells what hold the runs have of their orders, those of which it was written,
// by number, and the others. It asks once that is committed: what they waited for is seen.
func (s *Store) gripsOf(ctx context.Context, written []int, uuids []string, runs []int64, agents []string) ([]grip, error) {
	grips := make([]grip, len(uuids))
	if len(written) < len(grips) {
		rows, err := s.pool.Query(ctx, stillHeld, uuids, runs, agents)
		if err != nil {
			return nil, err
		}
		still, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return nil, err
		}
		for _, nth := range still {
			grips[nth-1] = locked
		}
	}
	for _, nth := range written {
		grips[nth-1] = held
	}
	return grips, nil
}

// collectInto returns what reads numbers.
func collectInto(numbers *[]int) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*numbers, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	}
}

// beginRuns notes that workers have begun with orders, and writes the stage of those
// that nobody began with before: of what this statement has dated.
const beginRuns = `
WITH n AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) WITH ORDINALITY AS n (uuid, run, agent, names, nth)` + inOneOrder + `
), begun AS (
    UPDATE importer.orders o SET begun = true, started_at = coalesce(o.started_at, statement_timestamp())
    FROM n WHERE ` + canBeWritten + `
    RETURNING n.nth, o.uuid, o.import_id, n.names, o.started_at = statement_timestamp() AS first
), staged AS (` + appendStagesOf + `(SELECT *, 'Import Started' AS stage, NULL AS description FROM begun WHERE first) n` + repeatedRow + `
)
SELECT nth FROM begun`

// dateRows dates the rows that clients left without a date: these sort before every
// stage of their order. Those that wait keep their place; one that its client still
// changes is left for the order's end.
const dateRows = `UPDATE public.imports SET "timestamp" = clock_timestamp() WHERE id = ANY (ARRAY (
    SELECT id FROM public.imports p WHERE uuid = ANY ($1) AND "timestamp" IS NULL
      AND (SELECT 1 FROM importer.inbox i WHERE i.uuid = p.uuid AND i.import_id = p.id LIMIT 1) IS NULL FOR UPDATE SKIP LOCKED))`

// maxBegun bounds the orders that one transaction begins. Between two of these more of
// them gather: a worker goes on meanwhile.
const (
	maxBegun          = 100
	restBetweenBegins = 6 * time.Millisecond
)

// Begin notes that a worker has begun with an order, and writes the stage the first
// time. Orders that are begun at the same time share a transaction. ErrNotMine: somebody
// else has the order by now; ErrRowLocked: nobody can write of it for now.
func (s *Store) Begin(ctx context.Context, w *Work) error {
	g, err := s.beginning.Do(ctx, w)
	if err == nil {
		err = g.err()
	}
	if err != nil && !errors.Is(err, ErrNotMine) {
		return fmt.Errorf("beginning order %s: %w", w.Job.UUID, err)
	}
	return err
}

func (s *Store) begin(ctx context.Context, works []*Work) ([]grip, error) {
	n := len(works)
	uuids, runs, agents, names := make([]string, n), make([]int64, n), make([]string, n), make([]*string, n)
	for i, w := range works {
		uuids[i], runs[i], agents[i], names[i] = w.Job.UUID, w.Job.Run, w.Job.Agent, w.Names
	}
	var written []int
	batch := &pgx.Batch{}
	batch.Queue(lazyCommit)
	batch.Queue(dateRows, uuids) // before the stage
	batch.Queue(beginRuns, uuids, runs, agents, names).Query(collectInto(&written))
	// Of orders that belong to somebody else this says nothing that is not so.
	batch.Queue(report, uuids)
	failpoint.Hit(failpoint.Beginning)
	err := s.pool.SendBatch(ctx, batch).Close()
	failpoint.Hit(failpoint.Begun)
	if err != nil {
		return nil, err
	}
	return s.gripsOf(ctx, written, uuids, runs, agents)
}
