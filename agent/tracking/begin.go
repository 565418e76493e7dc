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

// A statement that writes of runs writes to those of n, a relation of runs, that still
// hold their order o, and answers with whichOf. They are written to in one order: two
// transactions that wait for each other would wait for ever.
const (
	inOneOrder = ` ORDER BY uuid`

	// isHeld is of an order o and a run n.
	isHeld = `o.uuid = n.uuid AND o.run = n.run AND o.agent = n.agent AND ` + isRunning

	// isRunning is of an order o that is looked up by its uuid. The planner takes the index
	// of those that run for shorter than it is, and would read all of it for each of them.
	isRunning = `coalesce(o.state, '') = 'running'`

	// isFree is of an order o: the row that its stage refers to is not locked. That is found
	// out without waiting for it, since others would wait too.
	isFree = `NOT EXISTS (
        SELECT FROM public.imports p JOIN public.imports_preprocessing c ON c.id = p.preprocessing_id
        WHERE p.id = o.import_id AND NOT EXISTS (
            SELECT FROM public.imports_preprocessing l WHERE l.id = c.id FOR KEY SHARE SKIP LOCKED))`

	// whichOf stands before the name of the relation of what was written, and orHeld behind it.
	whichOf = `
SELECT nth, written FROM (SELECT n.*, (nth IN (SELECT nth FROM `
	orHeld = `)) IS TRUE AS written FROM n) n
WHERE written OR EXISTS (SELECT FROM importer.orders o WHERE ` + isHeld + `)`
)

// collectGrips reads which of the runs, by number, hold their orders.
func collectGrips(rows pgx.Rows, grips []grip) error {
	var nth int
	var written bool
	_, err := pgx.ForEachRow(rows, []any{&nth, &written}, func() error {
		grips[nth-1] = locked
		if written {
			grips[nth-1] = held
		}
		return nil
	})
	return err
}

// beginRuns notes that workers have begun with orders, and writes the stage of those
// that nobody began with before: of what this statement has dated.
const beginRuns = `
WITH n AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) WITH ORDINALITY AS n (uuid, run, agent, names, nth)` + inOneOrder + `
), begun AS (
    UPDATE importer.orders o SET begun = true, started_at = coalesce(o.started_at, statement_timestamp())
    FROM n WHERE ` + isHeld + ` AND ` + isFree + `
    RETURNING n.nth, o.uuid, o.import_id, n.names, o.started_at = statement_timestamp() AS first
), staged AS (` + appendStagesOf + `(SELECT *, 'Import Started' AS stage, NULL AS description FROM begun WHERE first) n` + repeatedRow + `
)` + whichOf + `begun` + orHeld

// dateRows dates the rows that clients left without a date: these sort before every
// stage of their order. Those that wait keep their place; one that its client still
// changes is left for the order's end.
const dateRows = `UPDATE public.imports SET "timestamp" = clock_timestamp() WHERE id IN (
    SELECT id FROM public.imports p WHERE uuid = ANY ($1) AND "timestamp" IS NULL
      AND NOT EXISTS (SELECT FROM importer.inbox i WHERE i.uuid = p.uuid AND i.import_id = p.id) FOR UPDATE SKIP LOCKED)`

// maxBegun bounds the orders that one transaction begins. Between two of these more of
// them gather: a worker goes on meanwhile.
const (
	maxBegun          = 100
	restBetweenBegins = 4 * time.Millisecond
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
	grips := make([]grip, n)
	batch := &pgx.Batch{}
	batch.Queue(lazyCommit)
	batch.Queue(dateRows, uuids) // before the stage
	batch.Queue(beginRuns, uuids, runs, agents, names).Query(func(rows pgx.Rows) error { return collectGrips(rows, grips) })
	// Of orders that belong to somebody else this says nothing that is not so.
	batch.Queue(report, uuids)
	failpoint.Hit(failpoint.Beginning)
	err := s.pool.SendBatch(ctx, batch).Close()
	failpoint.Hit(failpoint.Begun)
	return grips, err
}
