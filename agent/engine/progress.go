package engine

import (
	"context"
	"log/slog"
	"time"

	"biomero-importer/agent/tracking"
)

// progressEvery is the time between two notes of an order's progress, and what an
// order may take without any.
const progressEvery = time.Second

// progress notes, not too often, how far the order has come.
func (r *run) progress(ctx context.Context, step string) { r.progressWith(ctx, step, 0) }

// progressWith counts files that are imported, and not decided on yet.
func (r *run) progressWith(ctx context.Context, step string, files int) {
	now := time.Now()
	if now.Sub(r.noted) < progressEvery || ctx.Err() != nil {
		return
	}
	r.noted = now
	t := &r.tally
	p := tracking.Progress{
		Step: step, FilesDone: t.imported + t.failed + files, FilesTotal: r.listed.Len(), BytesDone: t.done + r.converting.bytes(), BytesTotal: t.total,
		Began: r.began, Updated: now,
	}
	if err := r.engine.store.SaveProgress(ctx, r.work.Job, p); err != nil {
		r.log.DebugContext(ctx, "no progress shown", slog.Any("error", err))
	}
}
