package web

import (
	"context"
	"net/http"
	"time"

	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// unsettledShown is how many drops the page of drops lists of each kind.
const unsettledShown = 100

// dropsPage is what the watcher sees, and what somebody has to look at.
type dropsPage struct {
	Watches   bool
	Settling  []settling
	Unsettled []tracking.Unsettled
}

type settling struct {
	watcher.Settling

	Left string
}

func (s *server) drops(w http.ResponseWriter, r *http.Request) {
	p := dropsPage{Watches: s.Watcher != nil}
	if p.Watches {
		now := time.Now()
		list := s.Watcher.Settling()
		for _, d := range list[:min(len(list), unsettledShown)] {
			one := settling{Settling: d, Left: "about to be taken"}
			if left := d.Due.Sub(now); left > 0 {
				one.Left = roughly(left) + " left"
			}
			p.Settling = append(p.Settling, one)
		}
	}
	found, err := s.once(r.Context(), "unsettled", func(ctx context.Context) (any, error) { return s.orders.Unsettled(ctx, unsettledShown) })
	p.Unsettled, _ = found.([]tracking.Unsettled)
	s.show(w, r, "drops", wanted(r, "settling"), frame{Nav: "/drops", Page: p}, err)
}

// servicePage is who is there and what is paused.
type servicePage struct {
	Agents []tracking.Presence
	Pauses []tracking.Pause
}

func (s *server) service(w http.ResponseWriter, r *http.Request) {
	found, err := s.once(r.Context(), "service", func(ctx context.Context) (any, error) {
		var p servicePage
		var err error
		if p.Agents, err = s.orders.Agents(ctx); err == nil {
			p.Pauses, err = s.orders.Pauses(ctx)
		}
		return p, err
	})
	s.show(w, r, "service", wanted(r, "agents"), frame{Nav: "/service", Page: found}, err)
}
