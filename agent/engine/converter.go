package engine

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/preprocess"
)

// Converter runs converters in containers, as preprocess/podman does. A request that is
// repeated goes on where the one before ended.
type Converter interface {
	Check(req preprocess.Request) error
	Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error)
	Remove(ctx context.Context, order string) error
	RemoveLeftovers(ctx context.Context, atWork func(ctx context.Context, order string) (bool, error)) error
}

// Conversions is how files are converted before they are imported.
type Conversions struct {
	Converter Converter
	Workers   int    // converters at the same time
	Temp      string // a folder for what is converted until it is imported
	Processed string // the name of folders beside inputs, for what stays of it
}

// conversion is what is asked for of an entry.
func (r *run) conversion(e *entry) preprocess.Request {
	c, config := r.work.Order.Converter, &r.engine.config.Conversions
	return preprocess.Request{
		Order: r.work.Order.UUID, Input: e.ordinal, Share: r.engine.share.Dir(), Path: e.resolved,
		Image: c.Container, InputFile: c.InputFile, OutputFolder: c.OutputFolder, AltOutputFolder: c.AltOutputFolder, Params: c.Params,
		Temp: filepath.Join(config.Temp, r.work.Order.UUID, strconv.Itoa(e.ordinal)), Processed: config.Processed,
	}
}

// errPullLate ends the wait for an image.
var errPullLate = errors.New("the image was not there in time")

// pullTime is how long an image may take to be there.
const pullTime = time.Hour

// runConverter runs the container. When the order is cancelled the container is killed;
// when this agent stops it goes on, and whoever resumes the order finds it.
func (r *run) runConverter(ctx context.Context, e *entry, req preprocess.Request) (preprocess.Result, error) {
	began := time.Now()
	log := r.log.With(slog.String("path", e.path))
	lines := lineLog{log: log, budget: &r.budget}
	defer r.showConverting(ctx)()
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(pullTime, func() { cancel(errPullLate) })
	defer late.Stop()
	// While its image is pulled it keeps no other converter waiting.
	var leave func()
	defer func() {
		if leave != nil {
			leave()
		}
	}()
	result, err := r.engine.config.Conversions.Converter.Run(running, req, preprocess.Watch{
		Pulling: func(text string) {
			log.DebugContext(ctx, "pulling the image", slog.String("image", req.Image), slog.String("progress", text))
			r.note(func(c *converting) { c.add("pulling the image: " + text) })
		},
		Starting: func() error {
			late.Stop()
			if leave == nil {
				if leave = r.engine.enterConverter(running); leave == nil {
					return context.Cause(running)
				}
			}
			log.InfoContext(ctx, "converting", slog.String("image", req.Image))
			if err := r.begun(); err != nil { // its stage comes first
				return err
			}
			err := unsaved(r.engine.store.Preprocessing(ctx, r.work))
			failpoint.Hit(failpoint.Started)
			return err
		},
		Line: func(from preprocess.Stream, line string) {
			lines.add(ctx, from, line)
			r.note(func(c *converting) { c.add(line) })
		},
		Progress: func(percent int) {
			r.note(func(c *converting) { c.parts[e.ordinal] = e.size / 100 * int64(percent) })
		},
	})
	lines.close(ctx)
	if err != nil {
		return result, converterFault(running, err)
	}
	log.InfoContext(ctx, "converted", slog.String("digest", result.Digest), slog.Int("items", len(result.Items)), slog.Duration("took", time.Since(began)))
	return result, nil
}

// enterConverter waits until one more converter may run, and returns what lets another;
// nil where ctx ended before.
func (e *Engine) enterConverter(ctx context.Context) (leave func()) {
	select {
	case e.converting <- struct{}{}:
		e.config.Observer.Converting(1)
		return func() {
			e.config.Observer.Converting(-1)
			<-e.converting
		}
	case <-ctx.Done():
		return nil
	}
}

// converterFault makes an error of a converter one of ours.
func converterFault(ctx context.Context, err error) error {
	fault, ok := errors.AsType[*preprocess.Error](err)
	switch {
	case errors.Is(context.Cause(ctx), errPullLate):
		return order.Errorf(order.Busy, "converting: %w", errPullLate)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case ok:
		return &order.Error{Class: order.Invalid, Reason: fault.Reason, Err: fault.Err}
	case hindered(err) != nil || errors.Is(err, tracking.ErrNotMine):
		return err
	default:
		return order.Errorf(order.Busy, "converting: %w", err)
	}
}
