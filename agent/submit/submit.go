package submit

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// Placer places orders.
type Placer struct {
	Share *importer.Share
	Store *tracking.Store
	// Container finds a container by name, or makes it.
	Container func(ctx context.Context, c importer.Container) (id int64, err error)
}

// Find is the order of a manifest, with the files that its patterns name now. dir is the
// folder that relative ones are of. A pattern without a file is an Invalid error.
func (p *Placer) Find(ctx context.Context, m *order.Manifest, dir string) (order.Order, error) {
	o := m.Order(0)
	for _, pattern := range m.Patterns(dir) {
		if !pattern.Glob {
			o.Files = append(o.Files, pattern.Path)
			continue
		}
		matches, err := p.Share.Glob(ctx, pattern.Path)
		if err != nil {
			return order.Order{}, refused(err)
		}
		if len(matches) == 0 {
			return order.Order{}, order.Errorf(order.Invalid, "no file matches %q", pattern.Path)
		}
		o.Files = append(o.Files, matches...)
	}
	return o, nil
}

// Place checks that each file can be imported, finds the destination where it is a name,
// and places the order. It gets a uuid where it has none; with tracking.ErrUUIDTaken
// another order has the one that it has, and o is complete all the same.
func (p *Placer) Place(ctx context.Context, o *order.Order) (err error) {
	checker := p.Share.Checker()
	defer checker.Close()
	for i, path := range o.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, _, err := checker.Check(path); err != nil {
			return refused(err)
		}
		o.Files[i] = filepath.Clean(path)
	}
	chosen := o.UUID != ""
	if !chosen {
		o.UUID = uuid.NewString()
	}
	if o.Destination.ID == 0 {
		o.Destination.ID, err = p.Container(ctx, importer.Container{
			Type: importer.ContainerType(o.Destination.Type), Group: o.Group, User: o.User, Project: o.Destination.Project, Name: o.Destination.Name,
		})
		if err != nil {
			return err
		}
	}
	return p.Store.Submit(ctx, tracking.NewOrder{Order: *o, ChosenUUID: chosen})
}

// refused is what is wrong with a path as an error of the order that names it.
func refused(err error) error {
	if wrong, ok := errors.AsType[*importer.Error](err); ok {
		return &order.Error{Class: order.Invalid, Reason: wrong.Reason, Err: err}
	}
	return err
}
