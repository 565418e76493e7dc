package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// batchSize is how many files are imported between two checkpoints, unless the backend is
// better off with another number.
const batchSize = 500

// importFiles imports what is not imported yet, a batch at a time. Files that
// fail by their own fault do not stop the others.
func (r *run) importFiles(ctx context.Context) error {
	var passing error
	saved := func() error { return nil }
	defer func() { _ = saved() }() // a crash waits for it too
	for batch, err := range batches(r.todo, r.engine.config.Batch) {
		if err != nil {
			return err
		}
		if len(r.unsaved) > 0 {
			saved = r.saveBeside(ctx)
		}
		r.progress(ctx, "importing")
		err := within(ctx, "importing", r.engine.config.ImportTimeout, func(ctx context.Context) error {
			return r.importBatch(ctx, batch)
		})
		failpoint.Hit(failpoint.Imported)
		if err := saved(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, late := errors.AsType[*lateError](err); late {
			return err
		}
		if err != nil {
			passing = err
		}
	}
	if passing != nil {
		return passing
	}
	return r.failures()
}

// saveBeside checkpoints the files decided so far, while more are imported. What it
// returns waits for that.
func (r *run) saveBeside(ctx context.Context) (saved func() error) {
	part := &run{engine: r.engine, work: r.work, unsaved: r.unsaved}
	r.unsaved = nil
	done := make(chan error, 1)
	go func() { done <- part.save(ctx) }()
	return sync.OnceValue(func() error {
		err := <-done
		r.unsaved = append(part.unsaved, r.unsaved...) // those that could not be saved
		return err
	})
}

func (r *run) importBatch(ctx context.Context, batch []entry) error {
	files := make([]importer.File, len(batch))
	for i := range batch {
		files[i].Path = batch[i].resolved
	}
	results, err := r.ask(ctx, files, r.above, func(i int) ([]importer.Pair, error) { return r.describe(ctx, batch[i].path, nil) })
	if err != nil {
		return err
	}
	var passing error
	for i := range batch {
		e, result := &batch[i], &results[i]
		if result.Err == nil {
			f := r.file(e, tracking.FileImported, "")
			f.Filesets, f.Images, f.Plates = result.Filesets, result.Images, result.Plates
			r.log.InfoContext(ctx, "imported", slog.String("path", f.Path), slog.Any("filesets", f.Filesets))
			r.decide(f, e.size)
			continue
		}
		err := classify(result.Err)
		r.log.WarnContext(ctx, "not imported", slog.String("path", e.path), slog.Any("error", err))
		if hindered(err) != nil || passes(err) && !r.last {
			passing = err
			continue
		}
		r.decide(r.file(e, tracking.FileFailed, r.reason(err)), e.size)
	}
	return passing
}

// ask has the backend import files for the order, and returns a result for each.
func (r *run) ask(ctx context.Context, files []importer.File, parent string, describe func(int) ([]importer.Pair, error)) ([]importer.Result, error) {
	var results []importer.Result
	err := r.engine.timed(StepImport, func() (err error) {
		results, err = r.engine.backend.Import(ctx, importer.Request{
			Order: target(r.work), Files: files, Parent: parent, Describe: describe,
			Progress: func(done int) { r.note(func(*converting) { r.progressWith(ctx, "importing", done) }) }, Log: r.log,
		})
		return err
	})
	if err == nil && len(results) != len(files) {
		err = errNoResult
	}
	if err != nil {
		return nil, classify(err)
	}
	for i := range results {
		if result := &results[i]; result.Err == nil && len(result.Images)+len(result.Plates) == 0 {
			result.Err = errNoResult
		}
	}
	return results, nil
}

// errNoResult guards against a backend that reports success without an id.
var errNoResult = errors.New("the import reported no image and no plate")

// classify turns a backend's error into one of ours: its *Error is the
// request's fault, anything else may pass.
func classify(err error) error {
	if _, ours := errors.AsType[*order.Error](err); ours || hindered(err) != nil {
		return err
	}
	if fault, ok := errors.AsType[*importer.Error](err); ok {
		return &order.Error{Class: order.Invalid, Reason: fault.Reason, Err: fault.Err}
	}
	return order.Errorf(order.Busy, "importing: %w", err)
}
