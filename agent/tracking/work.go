package tracking

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"biomero-importer/agent/order"
)

// ErrNotMine says that the order no longer belongs to the worker that asks:
// somebody else has taken it up, or it has ended. The worker stops and changes
// nothing.
var ErrNotMine = errors.New("the order belongs to somebody else by now")

// FileState is what has become of one file or folder of an order.
type FileState string

// The states of a file. One that is pending has no row in importer.files.
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

// Work is an attempt that a worker has taken up.
type Work struct {
	Written

	Job     Job
	Attempt int // from 1
	// Tries is how often this attempt met a fault that may pass, Crashes how
	// often an agent died while at it.
	Tries, Crashes int
	// Round tells when all of the order was asked for anew: what it imported before
	// that does not count.
	Round int64
	// Mark is what the backend said when the round was prepared first.
	Mark string
	// Filesets and Images are those that Recorded found of its files, in ascending order.
	Filesets, Images []int64
	// Waited is for how long it has been asked for.
	Waited time.Duration
	// Cancelled is set of one that is only to be ended.
	Cancelled bool
	// Resumed is set of one that was taken up before, in the same attempt.
	Resumed bool

	row *int64 // in imports
}

// Written is an order as its client wrote it.
type Written struct {
	// Order has no Files where Long is set: EachPath tells them.
	Order order.Order
	Long  bool
	// Names is the column file_names, once the files are known; Ends are the first two of
	// the files, and the last.
	Names *string
	Ends  []string
	// ConverterID is the row that describes the converter, in imports_preprocessing.
	ConverterID *int64
	// Target says for whom and where to files are imported.
	Target string
	// Options is import_options as the client wrote it.
	Options *string
	// Faulty is set when the row cannot be understood.
	Faulty error
}

// longBytes is how long a list of files may be that comes with the order, as
// writtenColumns has it too, and how much of a longer one is read at a time.
const longBytes = 64 << 10

// maxReading bounds the long lists that are read at the same time: the server keeps
// each in memory meanwhile.
const maxReading = 4

// writtenOf is the row $1 of an order $2 as it is now, and its list of files a piece at
// a time, with the first of which the row comes. The server unpacks the list once, and cuts it
// by bytes: it would count characters from the start. Of one that is too long it sends
// no more than shows that.
const writtenOf = `
SELECT ` + writtenColumns + `, o.nth, coalesce(o.piece, '')
FROM (SELECT CASE WHEN nth IS NULL OR nth = 0 THEN $1::bigint END AS import_id, $2::text AS uuid,
             coalesce(nth, 0) AS nth, substr(f.bytes, 1 + nth * $3, $3) AS piece
      FROM (VALUES (1)) one
      LEFT JOIN LATERAL (SELECT textsend(p.files) AS bytes FROM public.imports p
                         WHERE p.id = $1 AND p.uuid = $2 AND octet_length(p.files) > $3 LIMIT 1) f ON true
      LEFT JOIN LATERAL generate_series(0, CASE WHEN f.bytes IS NOT NULL THEN least(octet_length(f.bytes) - 1, $4) / $3 END) nth ON true OFFSET 0) o
` + writtenTables

// EachPath does with each path of an order, in their order, what each says. A client may
// have changed the row of a long one since it was taken up: the order is what the row says
// when its files are read, but for the limit of its destination. The error is that of each,
// or of the database, or Invalid where the list cannot be understood.
func (s *Store) EachPath(ctx context.Context, w *Work, each func(path string) error) error {
	if !w.Long {
		return eachOf(w.Order.Files, each)
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.eachPath(ctx, w, each)
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && (strings.HasPrefix(fault.Code, "22") || strings.HasPrefix(fault.Code, "XX")) {
		err = order.Errorf(order.Busy, "%w", err) // the row is broken, not the database
	}
	if _, ours := errors.AsType[*order.Error](err); err != nil && !ours {
		return fmt.Errorf("reading the files of order %s: %w", w.Order.UUID, err)
	}
	return err
}

func (s *Store) eachPath(ctx context.Context, w *Work, each func(path string) error) error {
	rows, err := s.pool.Query(ctx, writtenOf, w.row, w.Order.UUID, longBytes, order.MaxPathsBytes)
	if err != nil {
		return err
	}
	defer rows.Close()
	var row pendingRow
	var piece []byte
	next := 0
	more := func() (string, error) {
		if !rows.Next() {
			return "", rows.Err()
		}
		var nth int
		into := (&pendingRow{}).written()
		if next == 0 {
			into = row.written()
		}
		err := rows.Scan(append(into, &nth, &piece)...)
		if err == nil && nth != next {
			err = fmt.Errorf("piece %d of the list came in place of piece %d", nth, next)
		}
		next++
		return string(piece), err
	}
	head, err := more()
	if err != nil {
		return err
	}
	if w.Written = row.decode(w.Order.UUID); !w.Long {
		return eachOf(w.Order.Files, each)
	}
	var ends []string // as many as tell the short names
	err = order.EachPath(head, more, func(path string) error {
		if len(ends) == 3 {
			ends = ends[:2]
		}
		ends = append(ends, path)
		return each(path)
	})
	if err == nil {
		w.Names, w.Ends = shortNames(ends), ends
	}
	return err
}

func eachOf(paths []string, each func(path string) error) error {
	for _, path := range paths {
		if err := each(path); err != nil {
			return err
		}
	}
	return nil
}

// KeepFiles tells which of the order's paths an earlier attempt or run imported for the
// same user and destination. What is recorded of files that it failed at, or
// that are no more of the order, is forgotten; the rest gets the places that its files
// have now. The result is nil where nothing is recorded. ErrNotMine: somebody else has the order by now.
func (s *Store) KeepFiles(ctx context.Context, w *Work, paths iter.Seq2[string, error]) (imported []bool, err error) {
	// Of most orders nothing is recorded, and only this run would record anything.
	var recorded bool
	if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM importer.files WHERE order_uuid = $1)`, w.Job.UUID).Scan(&recorded); err != nil || !recorded {
		if err != nil {
			err = fmt.Errorf("looking for files of earlier attempts of order %s: %w", w.Job.UUID, err)
		}
		return nil, err
	}
	err = s.whileMine(ctx, w.Job, "keeping the files of earlier attempts of", func(tx pgx.Tx) error {
		imported = nil
		_, err := tx.Exec(ctx, `DELETE FROM importer.files WHERE order_uuid = $1 AND NOT (state = $2 AND target = $3)`, w.Job.UUID, FileImported, w.Target)
		if err != nil {
			return err
		}
		var inPlace bool
		if imported, inPlace, err = inPlaces(ctx, tx, w.Job.UUID, paths); err != nil || inPlace {
			return err
		}
		imported, err = moveFiles(ctx, tx, w.Job.UUID, paths)
		return err
	})
	return imported, err
}

// inPlaces tells which paths have a row, and whether each row has the place of its path.
func inPlaces(ctx context.Context, q querier, uuid string, paths iter.Seq2[string, error]) (imported []bool, all bool, err error) {
	rows, err := q.Query(ctx, `SELECT ordinal, path FROM importer.files WHERE order_uuid = $1 ORDER BY ordinal`, uuid)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	next := -1
	var of string
	read := func() error {
		if next = -1; rows.Next() {
			return rows.Scan(&next, &of)
		}
		return rows.Err()
	}
	if err := read(); err != nil {
		return nil, false, err
	}
	for path, err := range paths {
		if err != nil {
			return nil, false, err
		}
		here := next == len(imported)
		if here && of != path {
			return nil, false, nil
		}
		imported = append(imported, here)
		if here {
			if err := read(); err != nil {
				return nil, false, err
			}
		}
	}
	return imported, next < 0, nil
}

// moveFiles gives each row the place of its path, and tells which paths have one. It
// is seldom needed, and holds all rows in memory.
func moveFiles(ctx context.Context, tx pgx.Tx, uuid string, paths iter.Seq2[string, error]) (imported []bool, err error) {
	known, err := queryFiles(ctx, tx, uuid)
	if err != nil {
		return nil, err
	}
	done := make(map[string]File, len(known))
	for _, f := range known {
		done[f.Path] = f
	}
	var kept fileRows
	for path, err := range paths {
		if err != nil {
			return nil, err
		}
		f, ok := done[path]
		if ok {
			f.Ordinal = len(imported)
			kept.add(uuid, f)
		}
		imported = append(imported, ok)
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM importer.files WHERE order_uuid = $1`, uuid)
	kept.queue(batch)
	return imported, tx.SendBatch(ctx, batch).Close()
}

// queryFiles is what is recorded of an order's files.
func queryFiles(ctx context.Context, q querier, uuid string) ([]File, error) {
	rows, err := q.Query(ctx, `SELECT ordinal, path, state, reason, filesets, images, plates, target
		FROM importer.files WHERE order_uuid = $1 ORDER BY ordinal`, uuid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f File, err error) {
		return f, row.Scan(&f.Ordinal, &f.Path, &f.State, &f.Reason, &f.Filesets, &f.Images, &f.Plates, &f.Target)
	})
}
