package web

import (
	"net/http"
	"strings"
	"time"
)

const (
	// heartbeat keeps connections that say nothing from being taken for dead.
	heartbeat = 15 * time.Second
	// writeTime is how long a browser may take for what it is told.
	writeTime = 10 * time.Second
)

// events tells a browser what changes, from a place in the events on that its page names,
// or it itself when it comes back. With only, it is told of one order.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	if err := s.hub.join(r.Context()); err != nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many browsers follow the orders; try again later.", http.StatusServiceUnavailable)
		return
	}
	defer s.hub.leave()
	place, only := r.URL.Query().Get("since"), r.URL.Query().Get("only")
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		place = last
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		found, end, more, ok := s.hub.after(place)
		var text strings.Builder
		if !ok {
			found = []event{{"stale", "1"}}
		}
		for _, e := range found {
			if only == "" || e.name == only || !ok {
				e.write(&text)
			}
		}
		place = end
		// An id alone is remembered too, and nothing happens.
		text.WriteString("id: " + place + "\n\n")
		_ = out.SetWriteDeadline(time.Now().Add(writeTime)) // a recorder of a test has none
		if _, err := w.Write([]byte(text.String())); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-more:
		case <-beat.C:
		}
	}
}

// write adds the event as a browser reads it: each line of data is one of its own.
func (e event) write(out *strings.Builder) {
	out.WriteString("event: " + e.name + "\n")
	for line := range strings.Lines(strings.ReplaceAll(e.data, "\r", "")) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString("data: " + line + "\n")
		}
	}
	out.WriteString("\n")
}
