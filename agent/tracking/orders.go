package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// statusOf selects the newest row of each uuid in the relation "wanted".
const statusOf = `
SELECT w.uuid, p.stage, p.group_name, p.user_name, p.destination_type, p.destination_id, coalesce(p.description, ''),
       coalesce(p.file_names, ''), p."timestamp", coalesce(r.priority, 0), coalesce(o.attempt, 0), o.queued_at, o.started_at, o.ended_at,
       CASE WHEN o.state = 'queued' THEN o.reason ELSE '' END, coalesce(o.preprocessed, 0) > 0,
       g.step, g.files_done, g.files_total, g.bytes_done, g.bytes_total, g.began_at, g.updated_at
FROM wanted w
CROSS JOIN LATERAL (SELECT * FROM public.imports i WHERE i.uuid = w.uuid
                    ORDER BY i."timestamp" DESC NULLS LAST, i.id DESC LIMIT 1) p
LEFT JOIN LATERAL (SELECT * FROM importer.requests r WHERE r.uuid = w.uuid LIMIT 1) r ON true
LEFT JOIN LATERAL (SELECT * FROM importer.orders o WHERE o.uuid = w.uuid LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT * FROM importer.progress g WHERE g.uuid = w.uuid AND g.run = o.run AND o.state = 'running' LIMIT 1) g ON true
ORDER BY p."timestamp" DESC NULLS LAST, p.id DESC`

func scanStatus(row pgx.CollectableRow) (st Status, err error) {
	var waits, step *string
	var files, total *int
	var bytes, size *int64
	var began, updated *time.Time
	err = row.Scan(&st.UUID, &st.Stage, &st.Group, &st.User, &st.DestinationType, &st.DestinationID, &st.Description,
		&st.FileNames, &st.Changed, &st.Priority, &st.Attempt, &st.Queued, &st.Started, &st.Ended,
		&waits, &st.converted, &step, &files, &total, &bytes, &size, &began, &updated)
	if waits != nil {
		st.Waits = *waits
	}
	if err == nil && step != nil {
		st.Progress = &Progress{
			Step: *step, FilesDone: *files, FilesTotal: *total, BytesDone: *bytes, BytesTotal: *size, Began: *began, Updated: *updated,
		}
	}
	return st, err
}

// Show returns one order with its files. An unknown uuid is an Invalid error.
func (s *Store) Show(ctx context.Context, uuid string) (*Status, error) {
	return s.look(ctx, uuid, status)
}

// Brief is one order without its files, conversions and metadata. An unknown uuid is an
// Invalid error.
func (s *Store) Brief(ctx context.Context, uuid string) (*Status, error) {
	return s.look(ctx, uuid, brief)
}

// look looks an order up that is to be there.
func (s *Store) look(ctx context.Context, uuid string, up func(context.Context, querier, string) (*Status, error)) (*Status, error) {
	if uuid != text(uuid) {
		return nil, unknown(uuid)
	}
	st, err := up(ctx, s.pool, uuid)
	if err != nil {
		return nil, fmt.Errorf("looking up the order %s: %w", uuid, err)
	}
	if st == nil {
		return nil, unknown(uuid)
	}
	return st, nil
}

// ErrUnknown is in an Invalid error that says that there is no such order.
var ErrUnknown = errors.New("there is no such order")

func unknown(uuid string) error {
	reason := fmt.Sprintf("There is no order %q; `biomero-importer order list` shows those there are.", uuid)
	return &order.Error{Class: order.Invalid, Reason: reason, Err: ErrUnknown}
}

// Placed is an order as it was placed first, but for what has no column in the clients'
// tables. An unknown uuid is an Invalid error with ErrUnknown.
func (s *Store) Placed(ctx context.Context, uuid string) (order.Order, error) {
	var row pendingRow
	err := s.pool.QueryRow(ctx, `SELECT p.id, p.group_name, p.user_name, p.destination_type, p.destination_id, p.files, coalesce(p.description, ''),
			p.import_options, p.preprocessing_id, c.container, c.input_file, c.output_folder, c.alt_output_folder, c.extra_params::text
		FROM public.imports p`+converterTable+`
		WHERE p.id = (SELECT min(id + 0) FROM public.imports WHERE uuid = $1)`, text(uuid)).Scan(row.written()...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return order.Order{}, unknown(uuid)
	case err != nil:
		return order.Order{}, fmt.Errorf("looking up the order %s: %w", uuid, err)
	}
	w := row.decode(uuid)
	return w.Order, w.Faulty
}

// brief is an order's status without its files, conversions and metadata; nil for an
// unknown uuid.
func brief(ctx context.Context, q querier, uuid string) (*Status, error) {
	rows, err := q.Query(ctx, `WITH wanted AS (SELECT $1::text AS uuid)`+statusOf, uuid)
	if err != nil {
		return nil, err
	}
	st, err := pgx.CollectExactlyOneRow(rows, scanStatus)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // documented
	}
	return &st, err
}

// status is nil for an unknown uuid.
func status(ctx context.Context, q querier, uuid string) (*Status, error) {
	st, err := brief(ctx, q, uuid)
	if st == nil || err != nil {
		return nil, err
	}
	if st.Files, err = allFiles(ctx, q, uuid); err != nil {
		return nil, err
	}
	if st.converted {
		if st.Conversions, st.Output, err = conversions(ctx, q, uuid); err != nil {
			return nil, err
		}
	}
	err = q.QueryRow(ctx, `SELECT metadata, metadata_file FROM importer.requests WHERE uuid = $1`, uuid).Scan(&st.Metadata, &st.MetadataFile)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	return st, nil
}

// allFiles is each file that an attempt at an order has been made of: those that
// it has decided on, and the pending rest.
func allFiles(ctx context.Context, q querier, uuid string) ([]File, error) {
	var column string
	err := q.QueryRow(ctx, `SELECT p.files FROM importer.orders o `+writtenTable+`
		WHERE o.uuid = $1 AND p.id IS NOT NULL`, uuid).Scan(&column)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	known, err := queryFiles(ctx, q, uuid)
	if err != nil {
		return nil, err
	}
	paths, err := order.DecodePaths(column)
	if err != nil { // its row is gone, or cannot be understood
		return known, nil //nolint:nilerr // what is decided is all there is to show
	}
	files := make([]File, len(paths))
	for i, path := range paths {
		files[i] = File{Ordinal: i, Path: text(path), State: FilePending}
	}
	for _, f := range known {
		if f.Ordinal < len(files) && f.Path == files[f.Ordinal].Path { // else of an earlier attempt, at other files
			files[f.Ordinal] = f
		}
	}
	return files, nil
}

// Submit places an order as any other client would: it inserts a pending row.
// ErrUUIDTaken: its author chose a UUID that another order has.
func (s *Store) Submit(ctx context.Context, o NewOrder) error {
	return s.Place(ctx, nil, []NewOrder{o})
}
