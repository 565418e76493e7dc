package web

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// strike answers as a fault has it.
func (h *Handler) strike(w *statusWriter, r *http.Request, f server.Fault) {
	switch f.Kind {
	case server.Error500:
		serverError(w)
	case server.BadGateway:
		htmlPage(w, http.StatusBadGateway, "502 Bad Gateway")
	case server.TooMany:
		w.Header().Set("Retry-After", strconv.Itoa(int(f.Delay.Seconds())))
		htmlPage(w, http.StatusTooManyRequests, "429 Too Many Requests")
	case server.ToLogin:
		toLogin(w, r)
	case server.Cut:
		cut(w)
	case server.CutAfter:
		h.serve(httptest.NewRecorder(), r)
		cut(w)
	case server.TruncatedJSON:
		h.truncate(w, r)
	case server.Hang, server.Slow:
		if f.Delay == 0 {
			<-r.Context().Done()
			return
		}
		pause(r, f.Delay)
		h.serve(w, r)
	default:
		h.serve(w, r)
	}
}

// cut begins an answer, so that no client takes it for a connection that was idle
// too long and asks again, and ends the connection.
func cut(w *statusWriter) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("{"))
	_ = http.NewResponseController(w).Flush()
	w.status = 0
	panic(http.ErrAbortHandler)
}

// truncate does what was asked for, and answers with the first half.
func (h *Handler) truncate(w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	h.serve(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
}
