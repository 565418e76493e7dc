package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// DropKind says what was found in a watched folder.
type DropKind string

// The kinds of drops.
const (
	DropFile     DropKind = "file"
	DropFolder   DropKind = "folder"
	DropManifest DropKind = "manifest"
	DropLegacy   DropKind = "legacy"
)

// DropState says what has become of a drop.
type DropState string

// The states of a drop: a manifest waits for its files, which are held for it
// meanwhile; both are then taken, as part of an order, or refused. A manifest
// that its author takes away before that is gone.
const (
	DropWaiting DropState = "waiting"
	DropHeld    DropState = "held"
	DropTaken   DropState = "taken"
	DropRefused DropState = "refused"
	DropGone    DropState = "gone"
)

// Drop is the record of something found in a watched folder.
type Drop struct {
	Path      string
	Kind      DropKind
	Size      int64
	ModTime   int64 // nanoseconds since 1970
	Inode     uint64
	Digest    []byte // SHA-256 of a manifest's content
	State     DropState
	Reason    string
	Holder    string // of a held file: the path of the manifest that it waits for
	UUID      string // the order that it became or is part of
	Version   int    // as read; 0 for a drop not recorded before
	FirstSeen time.Time
}

// Drops returns the records of those paths that have one, by path.
func (s *Store) Drops(ctx context.Context, paths []string) (map[string]Drop, error) {
	keys := make([][]byte, len(paths))
	byKey := make(map[string]string, len(paths))
	for i, p := range paths {
		keys[i] = hash(p)
		byKey[string(keys[i])] = p
	}
	rows, err := s.pool.Query(ctx, `SELECT key, kind, size, mtime, inode, digest, state, reason, holder, uuid, version, first_seen
		FROM importer.drops WHERE key = ANY ($1)`, keys)
	if err != nil {
		return nil, fmt.Errorf("looking up drops: %w", err)
	}
	found := make(map[string]Drop)
	var key []byte
	var d Drop
	var inode int64
	_, err = pgx.ForEachRow(rows, []any{
		&key, &d.Kind, &d.Size, &d.ModTime, &inode, &d.Digest, &d.State, &d.Reason, &d.Holder, &d.UUID, &d.Version, &d.FirstSeen,
	}, func() error {
		d.Inode = uint64(inode) //nolint:gosec // the same bits
		d.Path = byKey[string(key)]
		found[d.Path] = d
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking up drops: %w", err)
	}
	return found, nil
}

// ErrDropChanged says that another agent recorded one of the drops meanwhile.
var ErrDropChanged = errors.New("another agent recorded the drop meanwhile")

// ErrUUIDTaken says that the UUID a manifest chose belongs to another order.
var ErrUUIDTaken = errors.New("the uuid belongs to another order")

// NewOrder is an order to be placed. ChosenUUID says that its author chose the
// UUID, so that it must not be another order's.
type NewOrder struct {
	order.Order
	ChosenUUID bool
}

const saveDrops = `
INSERT INTO importer.drops AS d (key, path, kind, size, mtime, inode, digest, state, reason, holder, uuid, version)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::text[],
                     $9::text[], $10::text[], $11::text[], $12::int[])
ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, size = excluded.size, mtime = excluded.mtime, inode = excluded.inode,
    digest = excluded.digest, state = excluded.state, reason = excluded.reason, holder = excluded.holder, uuid = excluded.uuid,
    version = excluded.version, changed_at = clock_timestamp(),
    first_seen = CASE WHEN d.state = 'waiting' AND d.digest = excluded.digest THEN d.first_seen ELSE clock_timestamp() END
WHERE d.version = excluded.version - 1`

// Place records drops and places the orders made of them, together. With
// ErrDropChanged or ErrUUIDTaken, nothing was written.
func (s *Store) Place(ctx context.Context, drops []Drop, orders []NewOrder) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := placeDrops(ctx, tx, drops); err != nil {
			return err
		}
		for i := range orders {
			if err := placeOrder(ctx, tx, &orders[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrDropChanged) || errors.Is(err, ErrUUIDTaken) {
		return err
	}
	if err != nil {
		return fmt.Errorf("recording %d drops and %d orders: %w", len(drops), len(orders), err)
	}
	return nil
}

func placeDrops(ctx context.Context, tx pgx.Tx, drops []Drop) error {
	if len(drops) == 0 {
		return nil
	}
	var keys, digests, due [][]byte
	var paths, kinds, states, reasons, holders, uuids []string
	var sizes, mtimes, inodes []int64
	var versions []int
	for _, d := range drops {
		key := hash(d.Path)
		keys, paths, kinds = append(keys, key), append(paths, text(d.Path)), append(kinds, string(d.Kind))
		sizes, mtimes = append(sizes, d.Size), append(mtimes, d.ModTime)
		inodes = append(inodes, int64(d.Inode)) //nolint:gosec // the same bits
		digests, holders = append(digests, append([]byte{}, d.Digest...)), append(holders, text(d.Holder))
		states, reasons = append(states, string(d.State)), append(reasons, text(d.Reason))
		uuids, versions = append(uuids, d.UUID), append(versions, d.Version+1)
		if (d.Kind == DropManifest || d.Kind == DropLegacy) && (d.State == DropTaken || d.State == DropRefused) {
			due = append(due, key)
		}
	}
	tag, err := tx.Exec(ctx, saveDrops, keys, paths, kinds, sizes, mtimes, inodes, digests, states, reasons, holders, uuids, versions)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != int64(len(drops)) {
		return ErrDropChanged
	}
	if len(due) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, `WITH due AS (INSERT INTO importer.reports (drop_key) SELECT * FROM unnest($1::bytea[]))
		SELECT pg_notify('importer_reports', '')`, due)
	return err
}

const insertOrder = `
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names, description, preprocessing_id)
VALUES ($1, $2, $3, $4, 'Import Pending', $5, $6, $7, nullif($8, ''), $9)`

func placeOrder(ctx context.Context, tx pgx.Tx, o *NewOrder) error {
	if o.ChosenUUID {
		var taken bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM public.imports WHERE uuid = $1)
			FROM pg_advisory_xact_lock(hashtext('importer.uuid'), hashtext($1))`, o.UUID).Scan(&taken)
		if err != nil {
			return err
		}
		if taken {
			return ErrUUIDTaken
		}
	}
	var converter *int64
	if c := o.Converter; c != nil {
		params, err := json.Marshal(c.Params)
		if err != nil {
			return fmt.Errorf("encoding the converter's parameters: %w", err)
		}
		err = tx.QueryRow(ctx, `INSERT INTO public.imports_preprocessing (container, input_file, output_folder, alt_output_folder, extra_params)
			VALUES ($1, $2, $3, nullif($4, ''), $5) RETURNING id`,
			c.Container, c.InputFile, c.OutputFolder, c.AltOutputFolder, string(params)).Scan(&converter)
		if err != nil {
			return err
		}
	}
	if err := placeRequest(ctx, tx, o); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertOrder, o.Group, o.User, strconv.FormatInt(o.Destination.ID, 10), string(o.Destination.Type), o.UUID,
		order.EncodePaths(o.Files), order.ShortNames(o.Files), o.Description, converter)
	return err
}

// placeRequest keeps what has no column in the clients' tables.
func placeRequest(ctx context.Context, tx pgx.Tx, o *NewOrder) error {
	if len(o.Metadata) == 0 && o.MetadataFile == "" {
		_, err := tx.Exec(ctx, `DELETE FROM importer.requests WHERE uuid = $1`, o.UUID)
		return err
	}
	metadata := make(map[string]string, len(o.Metadata))
	for key, value := range o.Metadata {
		metadata[text(key)] = text(value)
	}
	_, err := tx.Exec(ctx, `INSERT INTO importer.requests (uuid, metadata, metadata_file) VALUES ($1, $2, $3)
		ON CONFLICT (uuid) DO UPDATE SET metadata = excluded.metadata, metadata_file = excluded.metadata_file`,
		o.UUID, metadata, text(o.MetadataFile))
	return err
}
