package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// take places the manifest's order, with the records of its files.
func (in *Intake) take(ctx context.Context, m *manifest, i *inspection) error {
	o := m.order
	o.Files = make([]string, len(i.files))
	for n := range i.files {
		o.Files[n] = i.files[n].path
	}
	if err := order.CheckPaths(o.Files); err != nil {
		return in.refuse(ctx, m, fmt.Errorf("%s: %w", filepath.Base(m.path), err))
	}
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
	records, news, changed, err := in.records(ctx, m, i)
	if err != nil {
		return err
	}
	if m.resaved && !news {
		return in.keepTaken(ctx, m)
	}
	if changed && !m.chosen {
		o.UUID = uuid.NewString() // an attempt at the same order passes over what that imported
	}
	for n := range records {
		records[n].UUID = o.UUID
	}
	err = in.place(ctx, records, []tracking.NewOrder{{Order: o, ChosenUUID: chosen}})
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
	in.logDuplicates(ctx, records[1:])
	return in.release(ctx, m)
}

// keepTaken has a manifest that was saved again stay as it was taken.
func (in *Intake) keepTaken(ctx context.Context, m *manifest) error {
	m.taken = true
	return errors.Join(in.save(ctx, m, tracking.DropTaken, ""), in.release(ctx, m))
}

// records marks the manifest as taken, and with it those of its files that
// nobody else's rule is for. It reports whether any of them is not as it was
// taken before, and whether one was taken and has changed since.
func (in *Intake) records(ctx context.Context, m *manifest, i *inspection) (_ []tracking.Drop, news, changed bool, err error) {
	record := m.record
	record.State, record.Reason = tracking.DropTaken, ""
	var files []found
	byPath := map[string]bool{m.path: true}
	add := func(f *found) {
		switch {
		case !strings.HasPrefix(f.path, m.own+"/"):
			news = true // nothing tells whether it was taken
		case !byPath[f.path]:
			byPath[f.path] = true
			files = append(files, *f)
		}
	}
	for n := range i.files {
		add(&i.files[n])
		for j := range i.files[n].inside {
			add(&i.files[n].inside[j])
		}
	}
	list := make([]string, len(files))
	for n := range files {
		list[n] = files[n].path
	}
	known, err := in.store.Drops(ctx, list)
	if err != nil {
		return nil, false, false, err
	}
	records := []tracking.Drop{record}
	for n := range files {
		path := files[n].path
		drop, prev := i.drops[path], known[path]
		if prev.Kind == tracking.DropManifest || prev.Kind == tracking.DropLegacy {
			continue // as what it was taken decides whether it is taken again
		}
		record := recordOf(&drop, &prev, i.prints[path])
		records = append(records, record)
		news = news || prev.State != tracking.DropTaken || !sameStamp(&prev, &drop)
		changed = changed || prev.Changed ||
			prev.State == tracking.DropTaken && !unchanged(&prev, &drop, i.prints[path]) ||
			prev.State == tracking.DropHeld && prev.UUID != "" // it waits because it changed
	}
	return records, news, changed, in.findOriginals(ctx, records[1:])
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
