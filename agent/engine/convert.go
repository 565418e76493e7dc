package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/preprocess"
)

// convertFiles converts what is not imported yet, several files at a time, and
// imports of each what came out. Files that fail by their own fault do not stop the
// others. An order that is converted takes no worker from those that are only imported.
func (r *run) convertFiles(ctx context.Context) error {
	select {
	case r.engine.aside <- struct{}{}:
		defer func() { <-r.engine.aside }()
		r.free()
	default:
		return errCrowded
	}
	if r.work.Job.Run > 1 {
		err := r.settle(ctx)
		if err != nil && passes(err) {
			return err
		}
		if err != nil { // where the data should stay it is gone, and no try brings it back
			r.log.WarnContext(ctx, "an earlier import of the order leads nowhere", slog.Any("error", err))
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	// One is prepared, or imported, while another is converted.
	group.SetLimit(2 * r.engine.config.Conversions.Workers)
	var passing error
	for batch, err := range batches(r.todo, 1) {
		if err == nil {
			err = groupCtx.Err()
		}
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		e := batch[0]
		group.Go(func() error {
			err := guarded(groupCtx, r.log, func(ctx context.Context) error { return r.convertFile(ctx, &e) })
			if err == nil || stopped(groupCtx, err) {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			passing = err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if passing != nil {
		return passing
	}
	return r.failures()
}

// convertFile converts a file and imports what came out. A fault of the file itself is
// decided on, and no error.
func (r *run) convertFile(ctx context.Context, e *entry) error {
	req := r.conversion(e)
	f := r.file(e, tracking.FileImported, "")
	result, err := r.converted(ctx, e, req)
	if err == nil {
		err = r.importConverted(ctx, &f, req, result)
	}
	gone := err == nil || !passes(err) // there is no container any more
	if err != nil && gone {
		if unsettled := r.settle(ctx); unsettled != nil { // something of it may be imported
			r.log.WarnContext(ctx, "links to a temporary copy stay for now", slog.String("path", e.path), slog.Any("error", unsettled))
			gone = false
		}
	}
	if err != nil {
		if stopped(ctx, err) || passes(err) && !r.last {
			return err
		}
		r.log.WarnContext(ctx, "not imported", slog.String("path", e.path), slog.Any("error", err))
		f = r.file(e, tracking.FileFailed, r.reason(err))
	}
	if err := r.saveConverted(ctx, f, e.size); err != nil {
		return err
	}
	failpoint.Hit(failpoint.Converted)
	if !gone {
		return nil // the order's end removes what there is
	}
	if err := preprocess.CleanUp(ctx, req); err != nil {
		r.log.WarnContext(ctx, "what a converter worked with stays for now", slog.String("path", e.path), slog.Any("error", err))
	}
	return nil
}

// saveConverted sets what became of a file, and saves it at once: what it was converted
// in goes next.
func (r *run) saveConverted(ctx context.Context, f tracking.File, size int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.converting.done(f.Ordinal)
	r.decide(f, size)
	return r.save(ctx)
}

// converted is what a converter made of a file, now or before in this attempt.
func (r *run) converted(ctx context.Context, e *entry, req preprocess.Request) (result preprocess.Result, err error) {
	c := tracking.Conversion{Ordinal: e.ordinal, Path: e.path}
	kept, err := r.engine.store.Converted(ctx, r.work, c.Ordinal, c.Path)
	switch {
	case err != nil:
		return result, unsaved(err)
	case kept.Refusal != "":
		return result, order.Errorf(order.Invalid, "%s", kept.Refusal)
	case kept.Result != "":
		return result, json.Unmarshal([]byte(kept.Result), &result)
	}
	failpoint.Hit(failpoint.Converting)
	err = r.engine.timed(StepConvert, func() (err error) {
		result, err = r.runConverter(ctx, e, req)
		return err
	})
	switch {
	case order.ClassOf(err) == order.Invalid:
		c.Refusal = err.Error()
	case err != nil:
		return result, err
	default:
		made, err := json.Marshal(result)
		if err != nil {
			return result, fmt.Errorf("keeping what %q was converted into: %w", e.path, err)
		}
		c.Image, c.Digest, c.Result = result.Image, result.Digest, string(made)
	}
	failpoint.Hit(failpoint.Made)
	if err := unsaved(r.engine.store.SaveConversion(ctx, r.work, c)); err != nil {
		return result, err
	}
	failpoint.Hit(failpoint.Kept)
	return result, err
}
