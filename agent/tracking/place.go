package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
)

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
		failpoint.Hit(failpoint.Placing)
		return nil
	})
	if err == nil {
		failpoint.Hit(failpoint.Placed)
	}
	if errors.Is(err, ErrDropChanged) || errors.Is(err, ErrUUIDTaken) {
		return err
	}
	if err != nil {
		return fmt.Errorf("recording %d drops and %d orders: %w", len(drops), len(orders), err)
	}
	return nil
}

const insertOrder = `
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names, description, preprocessing_id)
VALUES ($1, $2, $3, $4, 'Import Pending', $5, $6, $7, nullif($8, ''), $9)`

func placeOrder(ctx context.Context, tx pgx.Tx, o *NewOrder) error {
	if o.ChosenUUID {
		// A statement of its own, see Take.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('importer.uuid'), hashtext($1))`, o.UUID); err != nil {
			return err
		}
		var taken bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM public.imports WHERE uuid = $1)`, o.UUID).Scan(&taken); err != nil {
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

// placeRequest keeps what has no column in the clients' tables. It comes before
// the pending row, whose trigger reads the priority.
func placeRequest(ctx context.Context, tx pgx.Tx, o *NewOrder) error {
	if len(o.Metadata) == 0 && o.MetadataFile == "" && o.Priority == 0 {
		_, err := tx.Exec(ctx, `DELETE FROM importer.requests WHERE uuid = $1`, o.UUID)
		return err
	}
	metadata := make(map[string]string, len(o.Metadata))
	for key, value := range o.Metadata {
		metadata[text(key)] = text(value)
	}
	_, err := tx.Exec(ctx, `INSERT INTO importer.requests (uuid, metadata, metadata_file, priority) VALUES ($1, $2, $3, $4)
		ON CONFLICT (uuid) DO UPDATE SET metadata = excluded.metadata, metadata_file = excluded.metadata_file, priority = excluded.priority`,
		o.UUID, metadata, text(o.MetadataFile), o.Priority)
	return err
}
