package tracking

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// FilePage is a part of an order's files.
type FilePage struct {
	Files []File // in their order
	Next  int    // the place to go on from; 0: there are no more
}

const (
	fileColumns = `SELECT ordinal, path, state, reason, filesets, images, plates, target FROM importer.files`
	filesFrom   = fileColumns + ` WHERE order_uuid = $1 AND ordinal >= $2 ORDER BY ordinal LIMIT $3`
	stateFrom   = fileColumns + ` WHERE order_uuid = $1 AND ordinal >= $2 AND ordinal < $2 + $5 AND state = $4 ORDER BY ordinal LIMIT $3`
	anyFrom     = `SELECT EXISTS (SELECT FROM importer.files WHERE order_uuid = $1 AND ordinal >= $2)`
)

// MaxFilesLooked is how many files of an order are looked at for those in a state, or
// counted.
const MaxFilesLooked = 10_000

// FilePage returns up to limit of an order's files from a place on: those in a state, or
// with "" all, also the pending ones. Of those in a state it looks at no more than
// MaxFilesLooked files, so that a page may hold none and still be followed by another.
func (s *Store) FilePage(ctx context.Context, uuid string, state FileState, from, limit int) (FilePage, error) {
	from = min(max(from, 0), math.MaxInt32-2*MaxFilesLooked)
	page, err := s.recordedFiles(ctx, uuid, state, from, limit)
	if err == nil && state == "" {
		err = s.addPending(ctx, uuid, from, limit, &page)
	}
	if err != nil {
		return FilePage{}, fmt.Errorf("listing the files of order %s: %w", uuid, err)
	}
	return page, nil
}

func (s *Store) recordedFiles(ctx context.Context, uuid string, state FileState, from, limit int) (page FilePage, err error) {
	sql, args := filesFrom, []any{text(uuid), from, limit + 1}
	if state != "" {
		sql, args = stateFrom, append(args, state, MaxFilesLooked)
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return page, err
	}
	page.Files, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f File, err error) {
		return f, row.Scan(&f.Ordinal, &f.Path, &f.State, &f.Reason, &f.Filesets, &f.Images, &f.Plates, &f.Target)
	})
	if err == nil && len(page.Files) > limit {
		page.Next = page.Files[limit].Ordinal
		page.Files = page.Files[:limit]
		return page, nil
	}
	if err == nil && state != "" {
		var more bool
		if err = s.pool.QueryRow(ctx, anyFrom, text(uuid), from+MaxFilesLooked).Scan(&more); more {
			page.Next = from + MaxFilesLooked
		}
	}
	return page, err
}

// errEnough ends the reading of a list.
var errEnough = errors.New("no more files are wanted")

// addPending makes a page of recorded files one of all: what the order's list says and
// nothing is recorded of is pending.
func (s *Store) addPending(ctx context.Context, uuid string, from, limit int, page *FilePage) error {
	w := &Work{Job: Job{UUID: uuid}}
	w.Order.UUID = uuid
	err := s.pool.QueryRow(ctx, `SELECT coalesce(
		(SELECT p.id FROM importer.orders o `+writtenTable+` WHERE o.uuid = $1),
		(SELECT max(id + 0) FROM public.imports WHERE uuid = $1))`, text(uuid)).Scan(&w.row)
	if err != nil || w.row == nil {
		return err
	}
	known := map[int]File{}
	for _, f := range page.Files {
		known[f.Ordinal] = f
	}
	var all FilePage
	at := 0
	w.Long = true
	err = s.EachPath(ctx, w, func(path string) error {
		if at >= from+limit {
			all.Next = at
			return errEnough
		}
		if at >= from {
			f, ok := known[at]
			if path = text(path); !ok || f.Path != path { // else of an earlier attempt, at other files
				f = File{Ordinal: at, Path: path, State: FilePending}
			}
			all.Files = append(all.Files, f)
		}
		at++
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && order.ClassOf(err) != order.Invalid {
		return err
	}
	if len(all.Files) > 0 { // else the list cannot be understood, and what is recorded is all there is to show
		*page = all
	}
	return nil
}

// File returns a file of an order that is recorded, or an Invalid error.
func (s *Store) File(ctx context.Context, uuid string, ordinal int) (f File, err error) {
	page, err := s.recordedFiles(ctx, uuid, "", ordinal, 1)
	if err != nil {
		return File{}, fmt.Errorf("looking up a file of order %s: %w", uuid, err)
	}
	if len(page.Files) == 0 || page.Files[0].Ordinal != ordinal {
		return File{}, order.Errorf(order.Invalid, "Order %q has no file %d, or nothing was made of it yet.", uuid, ordinal)
	}
	return page.Files[0], nil
}

const tallyFiles = `
SELECT count(*) FILTER (WHERE state = 'imported'), count(*) FILTER (WHERE state = 'failed')
FROM (SELECT state FROM importer.files WHERE order_uuid = $1 ORDER BY ordinal LIMIT $2) f`

// TallyFiles counts the files of an order that were imported and that failed, among its
// first MaxFilesLooked that are recorded.
func (s *Store) TallyFiles(ctx context.Context, uuid string) (imported, failed int, err error) {
	err = s.pool.QueryRow(ctx, tallyFiles, text(uuid), MaxFilesLooked).Scan(&imported, &failed)
	if err != nil {
		return 0, 0, fmt.Errorf("counting the files of order %s: %w", uuid, err)
	}
	return imported, failed, nil
}
