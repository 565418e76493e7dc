package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// rereadInterval is the time between two tries to read what could not be read.
const rereadInterval = 5 * time.Second

// maxReread bounds how long one try takes.
const maxReread = 1000

// maxUnread bounds how many are kept.
const maxUnread = 100_000

// unreadDrop is a drop that cannot be judged until it can be read.
type unreadDrop struct {
	watcher.Drop
	gone time.Time // since when it is not there; zero while it is
}

// postpone takes out of drops those that cannot be judged unread, and keeps
// them for reread but for those that are too many. Their records stay as they
// are, so that after a restart the watcher shows them again. One that is gone is
// kept for a while, as it may be back before the watcher notices.
func (in *Intake) postpone(drops []watcher.Drop, unread map[string]error) (_ []watcher.Drop, left int) {
	drops = slices.DeleteFunc(drops, func(d watcher.Drop) bool {
		now := unreadDrop{Drop: d}
		why := unread[d.Path]
		if errors.Is(why, fs.ErrNotExist) {
			now.gone = time.Now()
			if was := in.unread[d.Path]; was.Mark == d.Mark && !was.gone.IsZero() {
				now.gone = was.gone
			}
		}
		delete(in.unread, d.Path) // what is shown now is newer
		switch {
		case why == nil:
			return false
		case errors.Is(why, errMoved), errors.Is(why, importer.ErrIrregular):
			// It has changed since: the watcher shows it again once it has settled.
		case !now.gone.IsZero() && in.stayedAway(now.gone):
		case len(in.unread) >= maxUnread:
			left++
		default:
			in.unread[d.Path] = now
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
		if why[path] == nil || errors.Is(why[path], fs.ErrNotExist) {
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
	var drops []watcher.Drop
	for _, d := range in.unread { // in a random order, so that each has its turn
		if drops = append(drops, d.Drop); len(drops) == maxReread {
			break
		}
	}
	in.mu.Unlock()
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
			in.unread[d.Path] = unreadDrop{Drop: d}
		}
	}
	return err
}
