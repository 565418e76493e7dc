package omero

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// adopt finds what an earlier run of the order has imported of the batch's files.
func (r *batch) adopt(ctx context.Context) error {
	if r.found == nil {
		found, err := r.earlier(ctx)
		if err != nil {
			return err
		}
		r.found = &found
	}
	if err := r.adoptRegistered(ctx); err != nil {
		return err
	}
	for _, f := range *r.found {
		if _, recorded := slices.BinarySearch(r.order.Filesets, f.id); recorded {
			continue // another file's
		}
		r.assign(f, func(n int) bool { return !r.units[n].done }, true)
	}
	return nil
}

// earlier are the filesets that the order has made so far, in the order in which it did.
func (h *hold) earlier(ctx context.Context) ([]*fileset, error) {
	if h.order.Mark == "" {
		return nil, nil // nothing was imported before it had one
	}
	mark, err := h.mark()
	if err != nil {
		return nil, err
	}
	entries, err := h.cli.EntriesSince(ctx, h.order.Type, h.order.Container, mark)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	found := filesetsOf(entries)
	ids := slices.Sorted(maps.Keys(found))
	images, plates, err := h.cli.Members(ctx, ids)
	if err != nil {
		return nil, err
	}
	var objects []model.Object
	for _, id := range ids {
		found[id].objects = objectsOf(images[id], plates[id])
		objects = append(objects, found[id].objects...)
	}
	annotated, err := h.annotations(ctx, objects)
	if err != nil {
		return nil, err
	}
	var ours []*fileset
	for _, id := range ids {
		if len(found[id].objects) > 0 && !annotated.byOthers(found[id].objects, h.order.UUID) {
			ours = append(ours, found[id])
		}
	}
	return ours, nil
}

// Folders hold the links of all that an order has imported. Whoever carries the order out
// is not disturbed.
func (b *Backend) Folders(ctx context.Context, o importer.Order) (folders []string, err error) {
	name := fmt.Sprint("folders ", b.serial.Add(1)) // no order's
	h := b.hold(name, o)
	defer b.Done(context.WithoutCancel(ctx), name)
	if err := h.lock(ctx); err != nil {
		return nil, err
	}
	defer h.unlock()
	err = h.withSession(ctx, func() error {
		folders = nil
		found, err := h.earlier(ctx)
		for _, f := range found {
			if folder := b.links(f.prefix); !slices.Contains(folders, folder) {
				if _, err := os.Lstat(folder); err == nil { // or somebody has removed it
					folders = append(folders, folder)
				}
			}
		}
		return err
	})
	return folders, b.outward(err)
}
