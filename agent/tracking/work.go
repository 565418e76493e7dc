package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// ErrNotMine says that the job no longer belongs to the worker that asks:
// somebody else holds it, or its order has moved on. The worker stops and
// changes nothing.
var ErrNotMine = errors.New("the job belongs to somebody else by now")

// Job identifies a worker's hold on an attempt.
type Job struct {
	ID    int64     // river_job.id
	Agent string    // the River client that runs it
	Since time.Time // river_job.attempted_at: tells this run from another one of the same agent
}

// mine is a relation with one row if the job $1 is still run by the agent $2
// since $3. It locks the job's row, so that it stays so until the transaction ends.
const mine = `mine AS (
    SELECT FROM importer.river_job
    WHERE id = $1 AND state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $2 AND attempted_at = $3
    FOR UPDATE
)`

// FileState is what has become of one file or folder of an order.
type FileState string

// The states of importer.files.
const (
	FilePending  FileState = "pending"
	FileImported FileState = "imported"
	FileFailed   FileState = "failed"
)

// File is one file or folder that an order names, and what became of it.
type File struct {
	Ordinal  int       `json:"ordinal"` // place in the order's list, from 0
	Path     string    `json:"path"`
	State    FileState `json:"state"`
	Reason   string    `json:"reason"` // why it failed: one sentence
	Filesets []int64   `json:"filesets"`
	Images   []int64   `json:"images"`
	Plates   []int64   `json:"plates"`
	// Target is for whom and where to it is imported.
	Target string `json:"-"`
}

// Work is an attempt that a worker has begun.
type Work struct {
	Order order.Order
	// Options is import_options as the client wrote it.
	Options *string
	// Files is one entry per path of the order, in its order.
	Files []File
	// Crashes is how often an agent died while it carried this attempt out.
	Crashes int
	// Faulty is set, and Files empty, when the row cannot be understood.
	Faulty error
}

const begin = `
WITH ` + mine + `
SELECT o.state, o.crashes, p.id, p.group_name, p.user_name, p.destination_type, p.destination_id, p.files,
       coalesce(p.description, ''), p.import_options,
       c.container, c.input_file, c.output_folder, c.alt_output_folder, c.extra_params::text
FROM mine
JOIN importer.orders o ON o.uuid = $4 AND o.attempt = $5 AND o.job_id = $1 AND o.state IN ('queued', 'running')
LEFT JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
LEFT JOIN public.imports_preprocessing c ON c.id = p.preprocessing_id
FOR UPDATE OF o`

// Begin marks an attempt as started, writing the stage only the first time,
// and returns what is to be done. ErrNotMine: the attempt has ended or another
// one has replaced it.
func (s *Store) Begin(ctx context.Context, job Job, a Attempt) (*Work, error) {
	var work *Work
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var state string
		var crashes int
		var row pendingRow
		err := tx.QueryRow(ctx, begin, job.ID, job.Agent, job.Since, a.UUID, a.Number).Scan(&state, &crashes, &row.id, &row.group, &row.user,
			&row.typ, &row.dest, &row.files, &row.description, &row.options,
			&row.container, &row.input, &row.output, &row.altOutput, &row.params)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotMine
		}
		if err != nil {
			return err
		}
		work = row.decode(a.UUID)
		work.Crashes = crashes
		first := state == "queued"
		var known []File
		if !first || a.Number > 1 {
			if known, err = queryFiles(ctx, tx, a.UUID); err != nil {
				return err
			}
		}
		batch := &pgx.Batch{}
		if first {
			// Lost with the server, this is done again: the order is still queued.
			batch.Queue(`SET LOCAL synchronous_commit = off`)
			// A row without a date sorts before every stage of its order.
			batch.Queue(`UPDATE public.imports SET "timestamp" = clock_timestamp() WHERE uuid = $1 AND "timestamp" IS NULL`, a.UUID)
			batch.Queue(appendStage, row.id, order.Started, nil, shortNames(work.Order.Files), a.UUID)
			batch.Queue(`UPDATE importer.orders SET state = 'running', started_at = clock_timestamp() WHERE uuid = $1`, a.UUID)
			batch.Queue(report, a.UUID)
		}
		work.listFiles(known, batch)
		return tx.SendBatch(ctx, batch).Close()
	})
	return work, wrapUnlessNotMine(err, "beginning order "+a.UUID)
}

// listFiles gives each path of the order its row: the one that an earlier
// attempt left, where that imported it for the same user and destination, or a
// new one.
func (w *Work) listFiles(known []File, batch *pgx.Batch) {
	target := text(fmt.Sprintf("%s %d for %q of %q", w.Order.Destination.Type, w.Order.Destination.ID, w.Order.User, w.Order.Group))
	done := make(map[string]File, len(known))
	for _, f := range known {
		if f.State == FileImported && f.Target == target {
			done[f.Path] = f
		}
	}
	unchanged := len(known) == len(w.Order.Files)
	for i, path := range w.Order.Files {
		f, ok := done[path]
		if !ok {
			f = File{Path: path, State: FilePending, Target: target}
		}
		f.Ordinal = i
		w.Files = append(w.Files, f)
		unchanged = unchanged && known[i].Path == path && known[i].State == f.State && known[i].Target == target
	}
	if unchanged {
		return
	}
	if len(known) > 0 {
		batch.Queue(`DELETE FROM importer.files WHERE order_uuid = $1`, w.Order.UUID)
	}
	// A path that PostgreSQL cannot store fails the order's validation.
	ordinals, paths := make([]int, len(w.Files)), make([]string, len(w.Files))
	for i, f := range w.Files {
		ordinals[i], paths[i] = i, text(f.Path)
	}
	batch.Queue(`INSERT INTO importer.files (order_uuid, ordinal, path, state, target)
		SELECT $1, ordinal, path, 'pending', $4 FROM unnest($2::int[], $3::text[]) AS n (ordinal, path)`,
		w.Order.UUID, ordinals, paths, target)
	var imported []File
	for _, f := range w.Files {
		if f.State == FileImported {
			imported = append(imported, f)
		}
	}
	queueFiles(batch, w.Order.UUID, imported)
}

func queryFiles(ctx context.Context, q querier, uuid string) ([]File, error) {
	rows, err := q.Query(ctx, `SELECT ordinal, path, state, reason, filesets, images, plates, target
		FROM importer.files WHERE order_uuid = $1 ORDER BY ordinal`, uuid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[File])
}

// ids is never NULL in the database.
func ids(list []int64) []int64 {
	if list == nil {
		return []int64{}
	}
	return list
}
