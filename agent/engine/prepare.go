package engine

import (
	"context"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// target is what the backend knows of an order.
func target(w *tracking.Work) importer.Order {
	o := &w.Order
	return importer.Order{
		UUID: o.UUID, Round: w.Round, Mark: w.Mark, Group: o.Group, User: o.User,
		Type: importer.ContainerType(o.Destination.Type), Container: o.Destination.ID, Filesets: w.Filesets, Images: w.Images,
	}
}

// prepare has the backend find out, before anything is made, whether the order can be
// imported, and keeps by what the backend will know its imports again.
func (r *run) prepare(ctx context.Context) error {
	if r.kept != nil {
		if err := unsaved(r.engine.store.Recorded(ctx, r.work)); err != nil {
			return err
		}
	}
	var mark string
	err := within(ctx, "asking whether the order can be imported", r.engine.config.CheckTimeout, func(ctx context.Context) (err error) {
		mark, err = r.engine.backend.Prepare(ctx, target(r.work))
		return err
	})
	if err != nil {
		return classify(err)
	}
	if r.work.Mark == "" && mark != "" {
		if err := unsaved(r.engine.store.SaveMark(ctx, r.work, mark)); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.Prepared)
	return nil
}

// doneTime bounds what an order that is over waits for the backend.
const doneTime = 30 * time.Second

// leave releases what the backend holds for an order.
func (e *Engine) leave(ctx context.Context, uuid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), doneTime)
	defer cancel()
	e.backend.Done(ctx, uuid)
}
