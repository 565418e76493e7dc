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
func (r *run) progress(ctx context.Context, step string) {
	now := time.Now()
	if now.Sub(r.noted) < progressEvery || ctx.Err() != nil {
		return
	}
	r.noted = now
	p := tracking.Progress{Step: step, FilesTotal: len(r.work.Files), Began: r.began, Updated: now}
	for i := range r.work.Files {
		if size := r.found[i].size; r.work.Files[i].State == tracking.FilePending {
			p.BytesTotal += size
		} else {
			p.FilesDone++
			p.BytesDone += size
			p.BytesTotal += size
		}
	}
	if err := r.engine.store.SaveProgress(ctx, r.work.Job, p); err != nil {
		r.log.DebugContext(ctx, "no progress shown", slog.Any("error", err))
	}
}
