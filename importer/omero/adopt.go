package omero

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
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
		of, err := r.linked(f)
		if err != nil {
			return err
		}
		r.assign(f, func(n int) bool { return of[n] }, true)
	}
	return nil
}

// serverTime is how long a server is waited for that may be at a fileset whose importer is
// gone: it goes on to the end of its present step. Tests have less.
var serverTime = 10 * time.Second

// serverPoll is the time between two looks whether it has ended.
const serverPoll = time.Second

// awaitServer waits until the server has made the images of the batch's files that it may be
// at, although the importer of these is gone.
func (r *batch) awaitServer(ctx context.Context) error {
	if r.order.Mark == "" {
		return nil
	}
	mark, err := r.mark()
	if err != nil {
		return err
	}
	select { // the server ends what it does in a session that is closed
	case <-r.backend.tidied:
	case <-ctx.Done():
		return ctx.Err()
	}
	for began := time.Now(); ; {
		entries, err := r.cli.Unfinished(ctx, mark)
		if err != nil {
			return err
		}
		r.unfinished = r.unfinished[:0]
		for _, e := range entries {
			r.unfinished = append(r.unfinished, e.ClientPath)
		}
		if !slices.ContainsFunc(r.unfinished, r.has) || time.Since(began) > serverTime {
			return nil
		}
		select {
		case <-time.After(min(serverPoll, serverTime)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// linked are the units that are not done and that have a fileset's paths: without those that
// others have too, also in other batches, and that its links do not lead to.
func (r *batch) linked(f *fileset) (map[int]bool, error) {
	of := map[int]bool{}
	for _, path := range f.paths {
		for at := range upward(path) {
			for _, n := range r.at[at] {
				if !r.units[n].done {
					of[n] = true
				}
			}
		}
	}
	if len(of) == 0 {
		return nil, nil
	}
	left, anothers := maps.Clone(of), map[int]bool{}
	err := filepath.WalkDir(r.backend.links(f.prefix), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		file, err := os.Readlink(path)
		for n := range left {
			switch u := r.units[n]; {
			case isIn(file, u.path), isIn(file, r.shown(u)): // a copy's, once it is in its place
				delete(left, n)
			case isIn(cli.ClientPath(file), cli.ClientPath(u.path)):
				anothers[n] = true
			}
		}
		if len(left) == 0 && err == nil {
			return filepath.SkipAll
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // unless somebody has removed them
		return nil, fmt.Errorf("looking where the links of the fileset %d lead to: %w", f.id, err)
	}
	maps.DeleteFunc(of, func(n int, _ bool) bool { _, unled := left[n]; return unled && anothers[n] })
	return of, nil
}

// isIn reports whether a file is, or is in, another or a folder.
func isIn(file, of string) bool { return file == of || strings.HasPrefix(file, of+"/") }

// has reports whether a unit is at a client path, or at a folder of it.
func (r *batch) has(path string) bool {
	for at := range upward(path) {
		if len(r.at[at]) > 0 {
			return true
		}
	}
	return false
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
