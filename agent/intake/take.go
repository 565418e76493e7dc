package intake

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// take places the manifest's order, with the records of its files.
func (in *Intake) take(ctx context.Context, m *manifest, files []found) error {
	o := m.order
	id, err := in.container(ctx, &o)
	if err != nil {
		if c := order.ClassOf(err); c == order.Invalid || c == order.Denied {
			return in.refuse(ctx, m, err)
		}
		return err
	}
	o.Destination.ID = id
	chosen := m.chosen && o.UUID != m.record.UUID
	if o.UUID == "" {
		// An edited manifest without a UUID of its own is another attempt at its order.
		o.UUID = m.record.UUID
	}
	if o.UUID == "" {
		o.UUID = uuid.NewString()
	}
	o.Files = make([]string, len(files))
	for i, f := range files {
		o.Files[i] = f.path
	}
	records, err := in.records(ctx, m, files, o.UUID)
	if err != nil {
		return err
	}
	err = in.store.Place(ctx, records, []tracking.NewOrder{{Order: o, ChosenUUID: chosen}})
	switch {
	case errors.Is(err, tracking.ErrDropChanged):
		return in.adopt(ctx, m)
	case errors.Is(err, tracking.ErrUUIDTaken):
		return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: the uuid %s belongs to another order: leave it out, or make a new one.",
			filepath.Base(m.path), o.UUID))
	case err != nil:
		return err
	}
	m.taken = true
	in.log.InfoContext(ctx, "order placed for a manifest", slog.String("order", o.UUID), slog.String("manifest", m.path),
		slog.Int("files", len(o.Files)), slog.String("user", o.User))
	return in.release(ctx, m)
}

// records marks the manifest as taken, and with it those of its files that
// nobody else's rule is for.
func (in *Intake) records(ctx context.Context, m *manifest, files []found, id string) ([]tracking.Drop, error) {
	record := m.record
	record.State, record.Reason, record.UUID = tracking.DropTaken, "", id
	records := []tracking.Drop{record}
	byPath := map[string]bool{m.path: true}
	add := func(f *found) {
		if byPath[f.path] || !strings.HasPrefix(f.path, m.own+"/") {
			return
		}
		byPath[f.path] = true
		kind := tracking.DropFile
		if f.dir {
			kind = tracking.DropFolder
		}
		records = append(records, tracking.Drop{
			Path: f.path, Kind: kind, Size: f.size, ModTime: f.mtime, State: tracking.DropTaken, UUID: id,
		})
	}
	for i := range files {
		add(&files[i])
		for j := range files[i].inside {
			add(&files[i].inside[j])
		}
	}
	paths := make([]string, len(records))
	for i := range records {
		paths[i] = records[i].Path
	}
	known, err := in.store.Drops(ctx, paths[1:])
	if err != nil {
		return nil, err
	}
	for i := range records[1:] {
		records[i+1].Version = known[paths[i+1]].Version
	}
	return records, nil
}

// container returns the id of an order's destination.
func (in *Intake) container(ctx context.Context, o *order.Order) (int64, error) {
	d := o.Destination
	if d.ID > 0 {
		return d.ID, nil
	}
	id, err := in.containers.Container(ctx, importer.Container{
		Type: importer.ContainerType(d.Type), Group: o.Group, User: o.User, Project: d.Project, Name: d.Name,
	})
	if fault, ok := errors.AsType[*importer.Error](err); ok {
		return 0, &order.Error{Class: order.Invalid, Reason: fault.Reason, Err: fault.Err}
	}
	return id, err
}
