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

// postpone takes out of drops those that cannot be judged unread, and keeps
// them for reread. Their records stay as they are, so that after a restart the
// watcher shows them again.
func (in *Intake) postpone(drops []watcher.Drop, unread map[string]error) []watcher.Drop {
	return slices.DeleteFunc(drops, func(d watcher.Drop) bool {
		delete(in.unread, d.Path) // what is shown now is newer
		why := unread[d.Path]
		// What has changed since, the watcher shows again once it has settled.
		if why != nil && !errors.Is(why, fs.ErrNotExist) && !errors.Is(why, errMoved) && !errors.Is(why, errIrregular) {
			in.unread[d.Path] = d
		}
		return why != nil
	})
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
	drops = in.postpone(drops, unread)
	err = in.data(ctx, drops, prints, "")
	if err != nil {
		for _, d := range drops {
			in.unread[d.Path] = d
		}
	}
	return err
}
