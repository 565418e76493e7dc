package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Conversion is what a converter made of a file of an order.
type Conversion struct {
	Ordinal int       `json:"ordinal"` // of the file, from 0
	Image   string    `json:"image"`   // of the container, in full
	Digest  string    `json:"digest"`
	Made    time.Time `json:"made"`
	Attempt int       `json:"attempt"` // of the order, from 1
	Path    string    `json:"-"`       // of the file
	Result  string    `json:"-"`       // what came out, as JSON
	Refusal string    `json:"-"`       // or why nothing did, and never will: one sentence
}

// Preprocessing writes, once an attempt, the stage that says that the order's files are
// being converted. ErrNotMine: somebody else has the order by now.
func (s *Store) Preprocessing(ctx context.Context, w *Work) error {
	return s.whileMine(ctx, w.Job, "noting the preprocessing of", func(tx pgx.Tx) error {
		var importID int64
		err := tx.QueryRow(ctx, `UPDATE importer.orders SET preprocessed = attempt WHERE uuid = $1 AND preprocessed < attempt RETURNING import_id`,
			w.Job.UUID).Scan(&importID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue("SET LOCAL lock_timeout = '5s'") // of the row that describes the converter, see ErrRowLocked
		var stages stageRows
		stages.add(w.Job.UUID, importID, order.Preprocessing, nil, w.Names)
		stages.queue(batch)
		batch.Queue(report, []string{w.Job.UUID})
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Converted is what this attempt has saved of a file's conversion; empty if nothing. It
// stands although its client may ask for something else meanwhile, since it may be imported.
func (s *Store) Converted(ctx context.Context, w *Work, ordinal int, path string) (c Conversion, err error) {
	err = s.pool.QueryRow(ctx, `SELECT result, refusal FROM importer.conversions WHERE order_uuid = $1 AND ordinal = $2 AND attempt = $3 AND path = $4`,
		w.Job.UUID, ordinal, w.Attempt, text(path)).Scan(&c.Result, &c.Refusal)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return c, fmt.Errorf("looking for conversions of order %s: %w", w.Job.UUID, err)
	}
	return c, nil
}

// ConversionResult is what came of a conversion that ended well.
type ConversionResult struct {
	Result  string   // JSON
	Folders []string // see SaveFolders
}

// ConversionResults are those of an order.
func (s *Store) ConversionResults(ctx context.Context, uuid string) (results []ConversionResult, err error) {
	rows, err := s.pool.Query(ctx, `SELECT result, folders FROM importer.conversions WHERE order_uuid = $1 AND result <> ''`, text(uuid))
	if err == nil {
		results, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ConversionResult])
	}
	if err != nil {
		return nil, fmt.Errorf("looking for conversions of order %s: %w", uuid, err)
	}
	return results, nil
}

// SaveFolders adds the folders with the links of what was imported of a conversion: they have
// to be found whatever the order's client asks for later. ErrNotMine: somebody else has
// the order by now.
func (s *Store) SaveFolders(ctx context.Context, w *Work, ordinal int, folders []string) error {
	return s.whileMine(ctx, w.Job, "saving the links of", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE importer.conversions SET folders = ARRAY (SELECT DISTINCT unnest(folders || $3::text[]))
			WHERE order_uuid = $1 AND ordinal = $2`, w.Job.UUID, ordinal, folders)
		return err
	})
}

// SaveConversion keeps what a converter made, or why it never will. ErrNotMine: somebody
// else has the order by now.
func (s *Store) SaveConversion(ctx context.Context, w *Work, c Conversion) error {
	return s.whileMine(ctx, w.Job, "saving a conversion of", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`
			INSERT INTO importer.conversions (order_uuid, ordinal, attempt, path, image, digest, result, refusal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (order_uuid, ordinal) DO UPDATE SET attempt = excluded.attempt, path = excluded.path, image = excluded.image,
			    digest = excluded.digest, result = excluded.result, refusal = excluded.refusal, made_at = excluded.made_at`,
			w.Job.UUID, c.Ordinal, w.Attempt, text(c.Path), c.Image, c.Digest, c.Result, text(c.Refusal))
		batch.Queue(getsOn, w.Job.UUID)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// SaveOutput keeps the last lines that an order's converters wrote. They are shown, and
// decide nothing.
func (s *Store) SaveOutput(ctx context.Context, job Job, lines []string) error {
	storable := make([]string, len(lines))
	for i, line := range lines {
		storable[i] = text(line)
	}
	_, err := s.pool.Exec(ctx, `
		INSERT INTO importer.converter_output AS o (uuid, run, lines) VALUES ($1, $2, $3)
		ON CONFLICT (uuid) DO UPDATE SET run = excluded.run, lines = excluded.lines WHERE o.run <= excluded.run`, job.UUID, job.Run, storable)
	if err != nil {
		return fmt.Errorf("saving the converter's output of order %s: %w", job.UUID, err)
	}
	return nil
}

// AtWork reports whether an order is being carried out, or waits to be gone on with.
func (s *Store) AtWork(ctx context.Context, uuid string) (atWork bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM importer.orders WHERE uuid = $1 AND state IN ('queued', 'running'))`, text(uuid)).Scan(&atWork)
	if err != nil {
		return false, fmt.Errorf("looking whether order %s is at work: %w", uuid, err)
	}
	return atWork, nil
}

// Installation names this database among others whose agents run converters on the same
// machine. A copy of it made by pg_dump has another name; one made from the server's files
// does not.
func (s *Store) Installation(ctx context.Context) (name string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT format('%s-%s', system_identifier, oid) FROM pg_control_system(), pg_database WHERE datname = current_database()`).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("asking which database this is: %w", err)
	}
	return name, nil
}

// conversions is what was made of an order's files, and what converters wrote last.
func conversions(ctx context.Context, q querier, uuid string) (made []Conversion, output []string, err error) {
	rows, err := q.Query(ctx, `SELECT ordinal, image, digest, made_at, attempt FROM importer.conversions WHERE order_uuid = $1 AND result <> '' ORDER BY ordinal`, uuid)
	if err != nil {
		return nil, nil, err
	}
	made, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Conversion, err error) {
		return c, row.Scan(&c.Ordinal, &c.Image, &c.Digest, &c.Made, &c.Attempt)
	})
	if err != nil {
		return nil, nil, err
	}
	err = q.QueryRow(ctx, `SELECT lines FROM importer.converter_output WHERE uuid = $1`, uuid).Scan(&output)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return made, output, err
}
