package tracking

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SaveMark keeps what the backend said when an order was prepared first, before anything is
// imported. ErrNotMine: somebody else has the order by now.
func (s *Store) SaveMark(ctx context.Context, w *Work, mark string) error {
	err := s.whileMine(ctx, w.Job, "saving the mark of", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE importer.orders SET mark = $2 WHERE uuid = $1`, w.Job.UUID, mark)
		return err
	})
	if err == nil {
		w.Mark = mark
	}
	return err
}

// Look returns an order as its client wrote it and as it stands, without taking it up. An
// unknown uuid is an Invalid error.
func (s *Store) Look(ctx context.Context, uuid string) (*Work, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+pendingColumns+` FROM importer.orders o `+writtenTables+` WHERE o.uuid = $1`, text(uuid))
	if err != nil {
		return nil, fmt.Errorf("looking at order %s: %w", uuid, err)
	}
	works, _, err := collectWorks(rows, "")
	if err != nil {
		return nil, fmt.Errorf("looking at order %s: %w", uuid, err)
	}
	if len(works) == 0 {
		return nil, unknown(uuid)
	}
	return works[0], nil
}

// Recorded finds the filesets and images that are recorded of an order's files.
func (s *Store) Recorded(ctx context.Context, w *Work) error {
	err := s.pool.QueryRow(ctx, `SELECT
		ARRAY (SELECT DISTINCT unnest(filesets) FROM importer.files WHERE order_uuid = $1 ORDER BY 1),
		ARRAY (SELECT DISTINCT unnest(images) FROM importer.files WHERE order_uuid = $1 AND filesets = '{}' ORDER BY 1)`, w.Job.UUID).Scan(&w.Filesets, &w.Images)
	if err != nil {
		return fmt.Errorf("looking for what is recorded of order %s: %w", w.Job.UUID, err)
	}
	return nil
}

// Metadata returns the key-value pairs that came with an order, and the name of its table of
// more, which may be empty.
func (s *Store) Metadata(ctx context.Context, uuid string) (pairs map[string]string, file string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT metadata, metadata_file FROM importer.requests WHERE uuid = $1`, text(uuid)).Scan(&pairs, &file)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, "", fmt.Errorf("reading the metadata of order %s: %w", uuid, err)
	}
	return pairs, file, nil
}
