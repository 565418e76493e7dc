package tracking

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// dropColumns are the columns that drops are written to, in the order of a
// row's values.
var dropColumns = []string{
	"key", "version", "path", "folder", "kind", "size", "mtime", "inode", "mark", "fingerprint",
	"digest", "state", "reason", "holder", "uuid", "duplicate_of", "changed",
}

const updateDrops = `
UPDATE importer.drops d SET version = n.version, folder = n.folder, kind = n.kind, size = n.size, mtime = n.mtime, inode = n.inode,
    mark = n.mark, fingerprint = n.fingerprint, digest = n.digest, state = n.state, reason = n.reason, holder = n.holder,
    uuid = n.uuid, duplicate_of = n.duplicate_of, changed = n.changed, changed_at = clock_timestamp(),
    first_seen = CASE WHEN n.kind IN ('file', 'folder') OR d.state = 'waiting' AND d.digest = n.digest THEN d.first_seen
                      ELSE clock_timestamp() END
FROM unnest($1::bytea[], $2::int[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
            $10::bigint[], $11::bytea[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bool[])
    AS n (key, version, path, folder, kind, size, mtime, inode, mark, fingerprint,
          digest, state, reason, holder, uuid, duplicate_of, changed)
WHERE d.key = ANY (ARRAY[n.key]) AND d.version = n.version - 1`

func placeDrops(ctx context.Context, tx pgx.Tx, drops []Drop) error {
	var added, changed []dropRow
	var due [][]byte
	for i := range drops {
		d := &drops[i]
		row := rowOf(d)
		if d.Version == 0 {
			added = append(added, row)
		} else {
			changed = append(changed, row)
		}
		// As it is recorded, a path that is not UTF-8 leads nowhere.
		if d.isOrderFile() && d.final() && utf8.ValidString(d.Path) {
			due = append(due, row.key)
		}
	}
	if err := addDrops(ctx, tx, added); err != nil {
		return err
	}
	if err := changeDrops(ctx, tx, changed); err != nil {
		return err
	}
	if len(due) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `WITH due AS (INSERT INTO importer.reports (drop_key) SELECT * FROM unnest($1::bytea[]))
		SELECT pg_notify('importer_reports', '')`, due)
	return err
}

func addDrops(ctx context.Context, tx pgx.Tx, rows []dropRow) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{Schema, "drops"}, dropColumns,
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) { return rows[i].values, nil }))
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == uniqueViolation {
		return ErrDropChanged
	}
	return err
}

func changeDrops(ctx context.Context, tx pgx.Tx, rows []dropRow) error {
	if len(rows) == 0 {
		return nil
	}
	// One array for each column.
	arrays := make([]any, len(dropColumns))
	for i := range arrays {
		column := make([]any, len(rows))
		for j := range rows {
			column[j] = rows[j].values[i]
		}
		arrays[i] = column
	}
	tag, err := tx.Exec(ctx, updateDrops, arrays...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != int64(len(rows)) {
		return ErrDropChanged
	}
	return nil
}

// dropRow is a drop as it is written.
type dropRow struct {
	key    []byte
	values []any
}

func rowOf(d *Drop) dropRow {
	var mark uint64
	if !d.isOrderFile() && d.final() {
		mark = d.Mark
	}
	key := hash(d.Path)
	return dropRow{key, []any{
		key, d.Version + 1, text(d.Path), folderOf(d.Path), string(d.Kind), d.Size, d.ModTime, int64(d.Inode), //nolint:gosec // the same bits
		nullable(mark), nullable(d.Fingerprint),
		append([]byte{}, d.Digest...), string(d.State), text(d.Reason), text(d.Holder), d.UUID, text(d.DuplicateOf), d.Changed,
	}}
}

// nullable is a hash as it is stored: NULL where it is unknown.
func nullable(hash uint64) *int64 {
	if hash == 0 {
		return nil
	}
	bits := int64(hash) //nolint:gosec // the same bits
	return &bits
}

// isOrderFile tells manifests and legacy order files from data.
func (d *Drop) isOrderFile() bool { return d.Kind == DropManifest || d.Kind == DropLegacy }

// final reports whether nothing more happens to the drop unless it changes.
func (d *Drop) final() bool { return d.State == DropTaken || d.State == DropRefused }
