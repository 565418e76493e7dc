package tracking

import (
	"biomero-importer/agent/order"
)

// pendingRow is an order as its client wrote it, whatever that is. Columns are
// pointers where the row may be gone or the column NULL.
type pendingRow struct {
	id                       *int64
	group, user, typ, dest   *string
	files                    *string
	description              string
	options                  *string
	container, input, output *string
	altOutput, params        *string
}

// decode understands the row as far as it can: what is wrong with it ends up
// in Faulty, for that order alone.
func (r *pendingRow) decode(uuid string) *Work {
	w := &Work{Options: r.options}
	w.Order.UUID = uuid
	if r.id == nil {
		w.Faulty = order.Errorf(order.Invalid, "The order's row has been deleted from the imports table.")
		return w
	}
	w.Order.Group, w.Order.User, w.Order.Description = *r.group, *r.user, r.description
	paths, err := order.DecodePaths(*r.files)
	if err != nil {
		w.Faulty = err
		return w
	}
	w.Order.Files = paths
	if w.Order.Destination, err = order.ParseDestination(*r.typ, *r.dest); err != nil {
		w.Faulty = err
		return w
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
