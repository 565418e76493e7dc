package tracking

import (
	"fmt"

	"biomero-importer/agent/order"
)

// pendingRow is an order as its client wrote it, whatever that is. Columns are
// pointers where the row may be gone or the column NULL.
type pendingRow struct {
	id                       *int64
	group, user, typ, dest   *string
	files                    *string // also nil where there are many
	description              string
	options                  *string
	converter                *int64
	container, input, output *string
	altOutput, params        *string
}

// written is where the columns writtenColumns are read into.
func (r *pendingRow) written() []any {
	return []any{
		&r.id, &r.group, &r.user, &r.typ, &r.dest, &r.files, &r.description, &r.options,
		&r.converter, &r.container, &r.input, &r.output, &r.altOutput, &r.params,
	}
}

// decode understands the row as far as it can: what is wrong with it ends up
// in Faulty, for that order alone.
func (r *pendingRow) decode(uuid string) (w Written) {
	w.Options = r.options
	w.Order.UUID = uuid
	if r.id == nil {
		w.Faulty = errRowGone()
		return w
	}
	w.Order.Group, w.Order.User, w.Order.Description = *r.group, *r.user, r.description
	w.ConverterID = r.converter
	var err error
	if w.Long = r.files == nil; !w.Long {
		if w.Order.Files, err = order.DecodePaths(*r.files); err != nil {
			w.Faulty = err
			return w
		}
		w.Names = shortNames(w.Order.Files)
	}
	if w.Order.Destination, err = order.ParseDestination(*r.typ, *r.dest); err != nil {
		w.Faulty = err
		return w
	}
	w.Target = text(fmt.Sprintf("%s %d for %q of %q", w.Order.Destination.Type, w.Order.Destination.ID, w.Order.User, w.Order.Group))
	if r.converter != nil && r.container == nil {
		w.Faulty = order.Errorf(order.Invalid, "The order's row %d has been deleted from the imports_preprocessing table.", *r.converter)
	}
	if r.container != nil {
		var params []byte
		if r.params != nil {
			params = []byte(*r.params)
		}
		w.Order.Converter, w.Faulty = order.DecodeConverter(*r.container, *r.input, *r.output, r.altOutput, params)
	}
	return w
}

// shortNames is NULL for an order whose files nobody can tell.
func shortNames(paths []string) *string {
	if len(paths) == 0 {
		return nil
	}
	names := order.ShortNames(paths)
	return &names
}

func errRowGone() error {
	return order.Errorf(order.Invalid, "The order's row has been deleted from the imports table.")
}
