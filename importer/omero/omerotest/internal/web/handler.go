package web

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// Handler is OMERO.web.
type Handler struct {
	store      *server.Store
	host, port string // of the server behind it
	mux        *http.ServeMux

	mu       sync.Mutex
	sessions map[string]string // by cookie, the key of the session on the server
}

// New makes an OMERO.web for the server of a store.
func New(store *server.Store, host, port string) *Handler {
	h := &Handler{store: store, host: host, port: port, mux: http.NewServeMux(), sessions: map[string]string{}}
	h.routes()
	return h
}

func (h *Handler) routes() {
	h.mux.HandleFunc("/api/v0/token/{$}", h.token)
	h.mux.HandleFunc("/api/v0/servers/{$}", h.servers)
	h.mux.HandleFunc("/api/v0/login/{$}", h.login)
	h.mux.HandleFunc("/api/v0/m/save/{$}", h.api(h.save))
	for _, k := range kinds {
		h.mux.HandleFunc("/api/v0/m/"+k.path+"/{$}", h.api(h.list(k, nil)))
		h.mux.HandleFunc("/api/v0/m/"+k.path+"/{id}/{$}", h.api(h.object(k)))
		for _, child := range k.children {
			h.mux.HandleFunc("/api/v0/m/"+k.path+"/{id}/"+child.path+"/{$}", h.api(h.children(child)))
		}
	}
	h.mux.HandleFunc("/webgateway/su/{user}/{$}", h.page(h.su))
	h.mux.HandleFunc("/webclient/login/{$}", h.loginPage)
	h.mux.HandleFunc("/webclient/logout/{$}", h.page(h.logout))
	h.mux.HandleFunc("/webclient/{$}", h.page(func(w http.ResponseWriter, _ *http.Request, _ server.Actor) {
		htmlPage(w, http.StatusOK, "OMERO.webclient")
	}))
	h.mux.HandleFunc("/webclient/annotate_map/{$}", h.page(h.annotateMap))
	h.mux.HandleFunc("/webclient/action/savename/{kind}/{id}/{$}", h.page(h.saveName))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		htmlPage(w, http.StatusNotFound, "Page not found (404)")
	})
}

// ServeHTTP records the request, lets a planned fault strike, and answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var (
		record  = server.Request{Method: r.Method, Path: r.URL.RequestURI()}
		options server.Options
		fault   server.Fault
		struck  bool
	)
	err := h.store.Update(func(tx *server.Tx) error {
		record = tx.PutRequest(record)
		options = tx.Options()
		fault, struck = tx.Strike(server.AtWeb, record.Path, 0)
		return nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		record.Status = status.status
		_ = h.store.Update(func(tx *server.Tx) error { tx.PutRequest(record); return nil })
	}()
	pause(r, options.WebLatency)
	if struck {
		h.strike(status, r, fault)
		return
	}
	h.serve(status, r)
}

// serve is Django's middleware: slashes at the end of paths, and cross-site
// request forgery.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/") && h.known(r.URL.Path+"/") {
		target := url.URL{Path: r.URL.Path + "/", RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, target.String(), http.StatusMovedPermanently)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !genuine(r) {
		fail(w, http.StatusForbidden, "CSRF Error. You need to include valid CSRF tokens for any"+
			" POST, PUT, PATCH or DELETE operations. You have to include CSRF token in the POST data or"+
			" add the token to the HTTP header.")
		return
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) known(path string) bool {
	_, pattern := h.mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
	return pattern != "" && pattern != "/"
}

// genuine reports whether a request has the token of its cookie, in a header or in
// its form, and over https comes from a page of this site.
func genuine(r *http.Request) bool {
	cookie, err := r.Cookie(csrfCookie)
	if err != nil || cookie.Value == "" {
		return false
	}
	if r.TLS != nil {
		referer, err := url.Parse(r.Referer())
		if err != nil || referer.Scheme != "https" || referer.Host != r.Host {
			return false
		}
	}
	if token := r.Header.Get("X-CSRFToken"); token != "" {
		return token == cookie.Value
	}
	return r.PostFormValue("csrfmiddlewaretoken") == cookie.Value
}

// action answers a request of somebody who is logged in.
type action func(w http.ResponseWriter, r *http.Request, a server.Actor)

// api guards an action of the JSON API, which says so to who is not logged in.
func (h *Handler) api(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, ok := h.actor(w, r)
		if !ok {
			fail(w, http.StatusForbidden, "Not logged in")
			return
		}
		do(w, r, a)
	}
}

// page guards an action of the pages, which send who is not logged in to the login
// page.
func (h *Handler) page(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, ok := h.actor(w, r)
		switch {
		case ok:
			do(w, r, a)
		case r.Header.Get("X-Requested-With") == "XMLHttpRequest":
			w.WriteHeader(http.StatusForbidden)
		default:
			toLogin(w, r)
		}
	}
}

func toLogin(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/webclient/login/?"+url.Values{"url": {r.URL.RequestURI()}}.Encode(), http.StatusFound)
}

// statusWriter keeps the status of an answer; 0 if the connection was cut.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func answer(w http.ResponseWriter, status int, what any) {
	text, err := json.Marshal(what)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

type object map[string]any

// fail answers as the JSON API does when something is wrong.
func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"message": message})
}

func htmlPage(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	title = html.EscapeString(title)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><head><title>"+title+"</title></head>\n<body><h1>"+title+"</h1></body></html>\n")
}

// serverError is what Django answers when a page fails.
func serverError(w http.ResponseWriter) {
	htmlPage(w, http.StatusInternalServerError, "Server Error (500)")
}

func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
