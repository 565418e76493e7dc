package engine

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
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
	if err := r.checkConverter(); err != nil {
		return err
	}
	checker := r.engine.share.Checker()
	defer checker.Close()
	var record []byte
	ordinal := -1
	for path, err := range r.paths() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if ordinal++; ordinal < len(r.kept) && r.kept[ordinal] {
			continue
		}
		r.progress(ctx, "checking")
		e := entry{ordinal: ordinal, path: path}
		if e.found, err = r.checkEntry(checker, &e); err != nil {
			fault, ok := errors.AsType[*importer.Error](err)
			if !ok {
				return order.Errorf(order.Busy, "checking %q: %w", path, err)
			}
			r.decide(r.file(&e, tracking.FileFailed, fault.Reason), 0)
			if len(r.unsaved) >= batchSize {
				if err := r.save(ctx); err != nil {
					return err
				}
			}
			continue
		}
		r.tally.total += e.size
		r.above = above(r.above, e.resolved)
		record = e.encode(record[:0])
		if err := r.todo.Add(record); err != nil {
			return unlisted(err)
		}
	}
	return nil
}

// checkEntry checks a file to be imported, or to be converted first.
func (r *run) checkEntry(checker *importer.Checker, e *entry) (found, error) {
	if r.work.Order.Converter == nil {
		return r.checkFile(checker, e.path, importer.ContainerType(r.work.Order.Destination.Type))
	}
	resolved, info, err := checker.Check(e.path)
	if err != nil {
		return found{}, err
	}
	e.resolved = resolved
	if fault, ok := errors.AsType[*preprocess.Error](r.engine.config.Conversions.Converter.Check(r.conversion(e))); ok {
		return found{}, &importer.Error{Reason: fault.Reason, Err: fault.Err}
	}
	if info.IsDir() {
		return found{resolved: resolved}, nil
	}
	return found{resolved, info.Size()}, nil
}

// checkConverter makes sure that the order's conversions can be told from others: folders
// and containers are named by it.
func (r *run) checkConverter() error {
	c := r.work.Order.Converter
	switch {
	case c == nil:
		return nil
	case r.engine.config.Conversions.Converter == nil:
		return order.Errorf(order.Invalid, "The order asks for preprocessing with %q, which this importer is not set up for.", c.Container)
	case len(r.work.Order.UUID) != 36 || uuid.Validate(r.work.Order.UUID) != nil:
		return order.Errorf(order.Invalid, "The order asks for preprocessing, and its uuid %q is no UUID.", r.work.Order.UUID)
	}
	return nil
}

// found is where a file or folder of an order really is.
type found struct {
	resolved string
	size     int64 // in bytes; of a folder nothing
}

func (r *run) checkFile(checker *importer.Checker, path string, into importer.ContainerType) (found, error) {
	resolved, info, err := checker.Check(path)
	if err != nil {
		return found{}, err
	}
	if !info.IsDir() {
		return found{resolved, info.Size()}, nil
	}
	if importer.IsZarr(resolved) {
		_, err = r.engine.share.Zarr(resolved, into)
	}
	return found{resolved: resolved}, err
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

// above is the nearest folder that holds a path and, unless it is "", the folder dir.
func above(dir, path string) string {
	if dir == "" {
		return filepath.Dir(path)
	}
	for dir != "/" && !below(path, dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}

func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && strings.HasPrefix(rest, "/")
}
