package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"biomero-importer/watcher"
)

// rereadInterval is the time between two tries to read what could not be read.
const rereadInterval = 5 * time.Second

// maxReread bounds how long one try takes.
const maxReread = 1000

// maxUnread bounds how many are kept.
const maxUnread = 100_000

// postpone takes out of drops those that cannot be judged unread, and keeps
// them for reread but for those that are too many. Their records stay as they
// are, so that after a restart the watcher shows them again.
func (in *Intake) postpone(drops []watcher.Drop, unread map[string]error) (_ []watcher.Drop, left int) {
	drops = slices.DeleteFunc(drops, func(d watcher.Drop) bool {
		delete(in.unread, d.Path) // what is shown now is newer
		switch why := unread[d.Path]; {
		case why == nil:
			return false
		case errors.Is(why, fs.ErrNotExist), errors.Is(why, errMoved), errors.Is(why, errIrregular):
			// It has changed since: the watcher shows it again once it has settled.
		case len(in.unread) >= maxUnread:
			left++
		default:
			in.unread[d.Path] = d
		}
		return true
	})
	return drops, left
}

// tellUnread logs, once an hour, that files cannot be read.
func (in *Intake) tellUnread(ctx context.Context, why map[string]error) {
	if time.Since(in.unreadAt) < time.Hour {
		return
	}
	for path := range in.unread {
		if why[path] == nil {
			continue
		}
		in.unreadAt = time.Now()
		in.log.WarnContext(ctx, "files that may have changed after they were taken cannot be read, and wait",
			slog.Int("files", len(in.unread)), slog.String("one", path), slog.Any("error", why[path]))
		return
	}
}

// reread judges what was postponed as soon as it can be read, until ctx ends.
func (in *Intake) reread(ctx context.Context) {
	ticker := time.NewTicker(rereadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := in.rereadSome(ctx); err != nil && ctx.Err() == nil {
			in.log.WarnContext(ctx, "files that could not be read still wait", slog.Any("error", err))
		}
	}
}

func (in *Intake) rereadSome(ctx context.Context) error {
	in.mu.Lock()
	drops := slices.Collect(maps.Values(in.unread)) // in a random order, so that each has its turn
	in.mu.Unlock()
	drops = drops[:min(len(drops), maxReread)]
	prints, unread, err := in.fingerprints(ctx, drops)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	// What the watcher has shown again meanwhile is judged by that.
	drops = slices.DeleteFunc(drops, func(d watcher.Drop) bool { return in.unread[d.Path].Mark != d.Mark })
	drops, _ = in.postpone(drops, unread) // there is room for as many as it took out
	in.tellUnread(ctx, unread)
	err = in.data(ctx, drops, prints, "")
	if err != nil {
		for _, d := range drops {
			in.unread[d.Path] = d
		}
	}
	return err
}
