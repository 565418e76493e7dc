package main

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"biomero-importer/agent/config"
	"biomero-importer/agent/engine"
	"biomero-importer/agent/preview"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
	"biomero-importer/watcher"
)

// previewBytes bounds the pictures that are kept of imported images.
const previewBytes = 64 << 20

// statusPage is what the agent answers browsers with.
func (s *service) statusPage(ctx context.Context) http.Handler {
	o := web.Options{Trouble: trouble(s.images), Share: s.share, Logs: s.config.OrderLogs(), Log: s.log}
	if s.config.Backend == config.OMERO {
		o.Images = s.config.OMERO.WebURL
	}
	previews, err := preview.Open(filepath.Join(s.config.StateDir, "previews"), previewBytes, s.share)
	if err != nil {
		s.log.WarnContext(ctx, "there are no previews", slog.Any("error", err))
	} else {
		o.Previews = previews
	}
	if has(s.config, config.Watch) {
		o.Watcher = settles{s.state}
	}
	return web.Handler(s.store, o)
}

// settles tells the status page of the drops that this agent's watcher waits for.
type settles struct{ state *condition }

// shownSettling is how many of them the page shows.
const shownSettling = 100

func (s settles) Settling() []watcher.Settling {
	w := s.state.watcher.Load()
	if w == nil { // another agent has its turn
		return nil
	}
	return w.Settling(shownSettling)
}

// present says now and then that this agent is there, until ctx ends.
func (s *service) present(ctx context.Context) {
	name := engine.ProcessName()
	roles := make([]string, len(s.config.Roles))
	for i, r := range s.config.Roles {
		roles[i] = string(r)
	}
	ticker := time.NewTicker(tracking.PresenceEvery)
	defer ticker.Stop()
	for {
		if err := s.store.Present(ctx, name, roles, version); err != nil && ctx.Err() == nil {
			s.log.DebugContext(ctx, "the agent cannot say that it is there", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := s.store.Leave(bound, name); err != nil {
				s.log.DebugContext(bound, "the agent cannot say that it stops", slog.Any("error", err))
			}
			return
		case <-ticker.C:
		}
	}
}
