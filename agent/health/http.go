package health

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Register has mux answer GET /healthz and GET /readyz.
//
// /healthz says whether the agent is alive: 200 while the database answers, with what
// else is waited for, else 503. Nobody is to restart it for what it waits for.
//
// /readyz says whether it does what it is there for: 200, or 503 while a part that it
// needs is not ready, and each part as JSON.
//
// Both tell what is known, and cause nothing.
func (h *Health) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", h.alive)
	mux.HandleFunc("GET /readyz", h.ready)
}

// plain has an answer be shown as it is, and by nobody later.
func plain(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}

func (h *Health) alive(w http.ResponseWriter, _ *http.Request) {
	parts, _ := h.Parts()
	plain(w, "text/plain; charset=utf-8")
	if s := of(parts, Database); !s.OK() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("The database does not answer.\n"))
		return
	}
	text := "ok\n"
	if reasons := waitsFor(parts); len(reasons) > 0 {
		text += "waiting: " + strings.Join(reasons, " ") + "\n"
	}
	_, _ = w.Write([]byte(text))
}

// waitsFor are the sentences of the parts that wait.
func waitsFor(parts []Status) (reasons []string) {
	for i := range parts {
		if s := &parts[i]; s.State == Waiting && s.Reason != "" && (s.Needed || s.Part == Backend) {
			reasons = append(reasons, s.Reason)
		}
	}
	return reasons
}

// report is the answer of /readyz.
type report struct {
	Ready bool     `json:"ready"`
	Parts []Status `json:"parts"`
}

func (h *Health) ready(w http.ResponseWriter, _ *http.Request) {
	parts, _ := h.Parts()
	r := report{Ready: h.Ready(), Parts: parts}
	data, err := json.Marshal(r)
	if err != nil {
		http.Error(w, "The state cannot be told.", http.StatusInternalServerError)
		return
	}
	plain(w, "application/json")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(data, '\n'))
}
