package tracking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Step is a stage that an order reached.
type Step struct {
	Stage       order.Stage
	At          *time.Time
	Description string
}

// MaxSteps bounds a timeline: an order may have been asked for any number of times.
const MaxSteps = 100

const timeline = `
SELECT stage, "timestamp", coalesce(description, '') FROM public.imports WHERE uuid = $1
ORDER BY "timestamp" DESC NULLS LAST, id DESC LIMIT $2`

// Timeline returns the stages that an order reached, the last of them first, and no more
// than the last MaxSteps.
func (s *Store) Timeline(ctx context.Context, uuid string) ([]Step, error) {
	rows, err := s.pool.Query(ctx, timeline, text(uuid), MaxSteps)
	if err == nil {
		var steps []Step
		if steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Step]); err == nil {
			return steps, nil
		}
	}
	return nil, fmt.Errorf("reading the stages of order %s: %w", uuid, err)
}

const converters = `SELECT image, digest, count(*), max(made_at) FROM importer.conversions
WHERE order_uuid = $1 AND result <> '' GROUP BY image, digest ORDER BY max(made_at) DESC LIMIT 20`

// Converters tells which converters made something of how many of an order's files, and
// what they wrote last.
func (s *Store) Converters(ctx context.Context, uuid string) (made []Converter, output []string, err error) {
	rows, err := s.pool.Query(ctx, converters, text(uuid))
	if err == nil {
		made, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Converter])
	}
	if err == nil {
		err = s.pool.QueryRow(ctx, `SELECT lines FROM importer.converter_output WHERE uuid = $1`, text(uuid)).Scan(&output)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("looking for conversions of order %s: %w", uuid, err)
	}
	return made, output, nil
}

// Converter is what a converter did for an order.
type Converter struct {
	Image, Digest string
	Files         int
	Last          time.Time
}

const origin = `SELECT path FROM importer.drops WHERE uuid = $1 AND kind IN ('manifest', 'legacy') LIMIT 1`

// Origin is the manifest or order file that an order was made of; empty if none.
func (s *Store) Origin(ctx context.Context, uuid string) (path string, err error) {
	err = s.pool.QueryRow(ctx, origin, text(uuid)).Scan(&path)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("looking for the manifest of order %s: %w", uuid, err)
	}
	return path, nil
}
