package engine

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// validate finds out, before anything is made, what of the order can be imported.
// Files that cannot be are marked, each with its reason, and do not stop the others.
func (r *run) validate(ctx context.Context) error {
	o := &r.work.Order
	if err := checkNames(o); err != nil {
		return err
	}
	if err := order.CheckOptions(r.work.Options); err != nil {
		return err
	}
	if o.Converter != nil {
		return order.Errorf(order.Invalid, "The order asks for preprocessing with %q, which this version of the importer cannot do yet.", o.Converter.Container)
	}
	checker := r.engine.share.Checker()
	defer checker.Close()
	for i := range r.work.Files {
		f := &r.work.Files[i]
		if f.State == tracking.FileImported {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r.progress(ctx, "checking")
		var err error
		if r.found[i], err = r.checkFile(checker, f.Path, importer.ContainerType(o.Destination.Type)); err != nil {
			fault, ok := errors.AsType[*importer.Error](err)
			if !ok {
				return order.Errorf(order.Busy, "checking %q: %w", f.Path, err)
			}
			r.decide(f, tracking.FileFailed, fault.Reason)
		}
	}
	return nil
}

// found is where a file or folder of an order really is.
type found struct {
	path string
	size int64 // in bytes; of a folder nothing
}

func (r *run) checkFile(checker *importer.Checker, path string, into importer.ContainerType) (found, error) {
	resolved, info, err := checker.Check(path)
	if err != nil {
		return found{}, err
	}
	if resolved == path {
		resolved = path // one text of the same is enough
	}
	if !info.IsDir() {
		return found{resolved, info.Size()}, nil
	}
	if importer.IsZarr(resolved) {
		_, err = r.engine.share.Zarr(resolved, into)
	}
	return found{path: resolved}, err
}

// maxName leaves room for what the repository's folder template puts behind a
// user's name in one component of a path.
const maxName = 200

func checkNames(o *order.Order) error {
	for _, n := range [][2]string{{"group", o.Group}, {"user", o.User}} {
		if err := order.CheckName(n[0], n[1]); err != nil {
			return err
		}
		if len(n[1]) > maxName {
			return order.Errorf(order.Invalid, "The %s %.50q... is longer than %d bytes.", n[0], n[1], maxName)
		}
	}
	return nil
}

// decide sets what became of a file, to be saved with the next checkpoint.
func (r *run) decide(f *tracking.File, state tracking.FileState, reason string) {
	f.State, f.Reason = state, reason
	r.unsaved = append(r.unsaved, *f)
	f.Filesets, f.Images, f.Plates = nil, nil, nil // needed no more: there can be very many files
}

// failures sums up the files that failed, or is nil.
func (r *run) failures() error {
	failed, first := 0, ""
	for _, f := range r.work.Files {
		if f.State == tracking.FileFailed {
			if failed == 0 {
				first = f.Reason
			}
			failed++
		}
	}
	switch total := len(r.work.Files); {
	case failed == 0:
		return nil
	case total == 1:
		return order.Errorf(order.Invalid, "%s", first)
	default:
		return order.Errorf(order.Invalid, "%d of %d files failed: %s", failed, total, first)
	}
}

// parent is the nearest folder that holds all paths.
func parent(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, p := range paths[1:] {
		for dir != "/" && !below(p, dir) {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && strings.HasPrefix(rest, "/")
}
