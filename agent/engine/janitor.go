package engine

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"biomero-importer/agent/tracking"
	"biomero-importer/preprocess"
)

// tidyEvery is the time between two looks for what conversions left behind.
const tidyEvery = time.Minute

// tidy removes, until ctx ends, what crashed agents left of conversions, judged by what the
// database says of their orders.
func (e *Engine) tidy(ctx context.Context) {
	c := &e.config.Conversions
	if c.Converter == nil {
		return
	}
	for more := true; more; more = pause(ctx, tidyEvery) {
		err := guarded(ctx, e.log, func(ctx context.Context) error {
			// Containers first: what they still write would come back.
			if err := c.Converter.RemoveLeftovers(ctx, e.store.AtWork); err != nil {
				return err
			}
			return preprocess.Sweep(ctx, c.Temp, e.inUse)
		})
		if err != nil && ctx.Err() == nil && !errors.Is(err, preprocess.ErrUnavailable) {
			e.log.WarnContext(ctx, "what conversions left stays for now", slog.Any("error", err))
		}
	}
}

// inUse reports whether what an order was converted in is still needed: it is carried out,
// or images that it has imported cannot be led elsewhere.
func (e *Engine) inUse(ctx context.Context, uuid string) (bool, error) {
	atWork, err := e.store.AtWork(ctx, uuid)
	if atWork || err != nil {
		return atWork, err
	}
	err = e.settle(ctx, uuid, func() (*tracking.Work, error) { return e.store.Look(ctx, uuid) })
	if err != nil {
		e.log.WarnContext(ctx, "links to temporary copies stay for now", slog.String("order", uuid), slog.Any("error", err))
		return true, ctx.Err()
	}
	return false, nil
}

// discardTime bounds what the end of an order waits for podman, and for OMERO where it has to
// be asked.
const discardTime = 30 * time.Second

// discard removes what an order that ends leaves of conversions. What cannot be
// removed now is left to tidy.
func (r *run) discard(ctx context.Context) {
	c := &r.engine.config.Conversions
	if c.Converter == nil || r.work.Order.Converter == nil && r.work.Job.Run == 1 {
		return
	}
	uuid := r.work.Order.UUID
	if _, err := os.Stat(filepath.Join(c.Temp, uuid)); errors.Is(err, fs.ErrNotExist) {
		return // it is made before containers are
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	err := c.Converter.Remove(ctx, uuid)
	if err == nil {
		err = r.settle(ctx)
	}
	if err == nil {
		err = preprocess.Sweep(ctx, c.Temp, func(_ context.Context, order string) (bool, error) { return order != uuid, nil })
	}
	if err != nil {
		r.log.WarnContext(ctx, "what the order's conversions left stays for now", slog.Any("error", err))
	}
}
