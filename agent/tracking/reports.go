package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Report is what a manifest's author is to be told.
type Report struct {
	Path   string
	Kind   DropKind
	State  DropState
	Reason string
	Status *Status // of the order; nil for a drop that became none
	Tries  int     // how often it was tried in vain
}

// reportsAtOnce bounds how long the reports' lock is held.
const reportsAtOnce = 10

// maxReportTries is a week of trying to write one, so that it outlives a share
// that is away for days: the pauses double up to an hour.
const maxReportTries = 180

// Report hands reports that are due to write and forgets those that it wrote;
// others are tried again later. One agent reports at a time, so that an older
// state never overwrites a newer one. It returns how many were due.
func (s *Store) Report(ctx context.Context, write func(context.Context, Report) error) (int, error) {
	n := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('importer.reports'))`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			WITH oldest AS MATERIALIZED (SELECT id, drop_key, tries FROM importer.reports WHERE due_at <= now() ORDER BY due_at LIMIT $1)
			SELECT array_agg(r.id), d.path, d.kind, d.state, d.reason, d.uuid, max(r.tries)
			FROM oldest r CROSS JOIN LATERAL (SELECT * FROM importer.drops d WHERE d.key = r.drop_key LIMIT 1) d
			GROUP BY r.drop_key, d.path, d.kind, d.state, d.reason, d.uuid ORDER BY min(r.id)`, reportsAtOnce)
		if err != nil {
			return err
		}
		type due struct {
			IDs          []int64
			Path         string
			Kind         DropKind
			State        DropState
			Reason, UUID string
			Tries        int
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[due])
		if err != nil || len(found) == 0 {
			return err
		}
		n = len(found)
		var written, failed []int64
		for _, d := range found {
			r := Report{Path: d.Path, Kind: d.Kind, State: d.State, Reason: d.Reason, Tries: d.Tries}
			if d.State == DropTaken {
				if r.Status, err = status(ctx, tx, d.UUID); err != nil {
					return err
				}
			}
			if write(ctx, r) == nil {
				written = append(written, d.IDs...)
			} else {
				failed = append(failed, d.IDs...)
			}
		}
		_, err = tx.Exec(ctx, `
			WITH later AS (
				UPDATE importer.reports SET tries = tries + 1, due_at = now() + least(2 ^ tries, 3600) * interval '1 second'
				WHERE id = ANY ($2) AND tries < $3
			)
			DELETE FROM importer.reports WHERE id = ANY ($1 || $2) AND (id = ANY ($1) OR tries >= $3)`, written, failed, maxReportTries)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reporting on manifests: %w", err)
	}
	return n, nil
}

// Status is an order as it stands.
type Status struct {
	UUID            string            `json:"uuid"`
	Stage           order.Stage       `json:"stage"`
	Group           string            `json:"group"`
	User            string            `json:"user"`
	DestinationType string            `json:"destination_type"`
	DestinationID   string            `json:"destination_id"`
	Description     string            `json:"description"`
	FileNames       string            `json:"file_names"`
	Changed         *time.Time        `json:"changed"`
	Priority        int               `json:"priority"`
	Attempt         int               `json:"attempt"` // 0: not taken yet
	Queued          *time.Time        `json:"queued"`
	Started         *time.Time        `json:"started"`
	Ended           *time.Time        `json:"ended"`
	Progress        *Progress         `json:"progress"`        // of a running order that takes longer than a moment
	Waits           string            `json:"waits,omitempty"` // why it is not gone on with yet
	Files           []File            `json:"files"`
	Conversions     []Conversion      `json:"conversions,omitempty"`
	Output          []string          `json:"output,omitempty"` // the last lines of its converters
	Metadata        map[string]string `json:"metadata"`
	MetadataFile    string            `json:"metadata_file"`

	converted bool
}
