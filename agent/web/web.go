package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"golang.org/x/sync/singleflight"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// shown is how many orders the list of the JSON routes holds.
const shown = 200

// Orders is where orders are read from.
type Orders interface {
	Recent(ctx context.Context, limit int) ([]tracking.Status, error)
	Show(ctx context.Context, uuid string) (*tracking.Status, error)
}

// Store is the database, as far as the page needs it.
type Store interface {
	Orders
	List(ctx context.Context, f tracking.Filter) (tracking.Page, error)
	Counts(ctx context.Context) (map[order.Stage]int64, error)
	Changed(ctx context.Context, within time.Duration, also []string, limit, waiting int) ([]tracking.Status, error)
	Brief(ctx context.Context, uuid string) (*tracking.Status, error)
	Timeline(ctx context.Context, uuid string) ([]tracking.Step, error)
	Converters(ctx context.Context, uuid string) ([]tracking.Converter, []string, error)
	Origin(ctx context.Context, uuid string) (string, error)
	FilePage(ctx context.Context, uuid string, state tracking.FileState, from, limit int) (tracking.FilePage, error)
	TallyFiles(ctx context.Context, uuid string) (imported, failed int, err error)
	File(ctx context.Context, uuid string, ordinal int) (tracking.File, error)
	Hour(ctx context.Context, from time.Time) (tracking.Hour, error)
	Unsettled(ctx context.Context, limit int) ([]tracking.Unsettled, error)
	Agents(ctx context.Context) ([]tracking.Presence, error)
	Pauses(ctx context.Context) ([]tracking.Pause, error)
	Retry(ctx context.Context, uuid string, all bool) error
	Cancel(ctx context.Context, uuid string) error
}

// Watcher tells what is being settled.
type Watcher interface{ Settling() []watcher.Settling }

// Previews makes small pictures of files. The picture is a JPEG, and nil where there can
// be none; its tag changes with the file. An error may pass.
type Previews interface {
	Get(ctx context.Context, path string) (picture []byte, tag string, err error)
}

// Options are what the page shows besides the database.
type Options struct {
	// Trouble says what the service waits for, if anything.
	Trouble func() string
	// Watcher may be nil: of an agent that does not watch.
	Watcher Watcher
	// Previews may be nil: there are none then.
	Previews Previews
	// Share is where receipts are read; nil for nowhere.
	Share *importer.Share
	// Logs is the folder of the orders' own logs; empty for none.
	Logs string
	// Images is the address of OMERO.web; empty for none.
	Images string
	Log    *slog.Logger
}

type server struct {
	Options

	orders Store
	hub    *hub
	charts *charts
	// reading is what once is at: browsers ask for the same after the same event.
	reading singleflight.Group
}

// Handler answers with the pages, their events, and the JSON of /api/orders and
// /api/orders/UUID. Who asks is what package access found out; only an operator may change
// anything.
func Handler(store Store, o Options) http.Handler {
	s := &server{Options: o, orders: store, hub: newHub(store, o.Log), charts: newCharts(store)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /users/{group}/{name}", s.list)
	mux.HandleFunc("GET /orders/{uuid}", s.order)
	mux.HandleFunc("GET /orders/{uuid}/log", s.orderLog)
	mux.HandleFunc("GET /orders/{uuid}/receipt", s.receipt)
	mux.HandleFunc("GET /orders/{uuid}/preview/{ordinal}", s.preview)
	mux.HandleFunc("POST /orders/{uuid}/retry", s.retry)
	mux.HandleFunc("POST /orders/{uuid}/cancel", s.cancel)
	mux.HandleFunc("GET /drops", s.drops)
	mux.HandleFunc("GET /service", s.service)
	mux.HandleFunc("GET /service/hours", s.hours)
	mux.HandleFunc("GET /static/{version}/{name}", static)
	mux.HandleFunc("GET /api/orders", s.apiList)
	mux.HandleFunc("GET /api/orders/{uuid}", s.apiOrder)
	all := http.NewServeMux()
	all.HandleFunc("GET /events", s.events) // as they come, and not when enough of them can be compressed
	all.Handle("/", gzhttp.GzipHandler(mux))
	return guard(all)
}

// policy lets a page have what this service serves, and nothing that is written into it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard keeps what hostile names may smuggle into a page from doing anything.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// readTime is what a look that several browsers may wait for takes at most: none of them can
// end it, and it has one of the connections that orders are carried out by.
const readTime = 10 * time.Second

// once has all that ask for the same meanwhile share a look, whichever of them goes away.
func (s *server) once(ctx context.Context, key string, look func(ctx context.Context) (any, error)) (any, error) {
	found, err, _ := s.reading.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		return look(ctx)
	})
	return found, err
}

func (s *server) apiList(w http.ResponseWriter, r *http.Request) {
	list, err := s.orders.Recent(r.Context(), shown)
	s.reply(w, r, list, err)
}

func (s *server) apiOrder(w http.ResponseWriter, r *http.Request) {
	found, err := s.orders.Show(r.Context(), r.PathValue("uuid"))
	s.reply(w, r, found, err)
}

// reply answers with JSON.
func (s *server) reply(w http.ResponseWriter, r *http.Request, value any, err error) {
	var data []byte
	if err == nil {
		data, err = json.Marshal(value)
	}
	if err != nil {
		code, sentence := s.fault(r, err)
		http.Error(w, sentence, code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(data, '\n'))
}

// fault is what a client is told of an error.
func (s *server) fault(r *http.Request, err error) (code int, sentence string) {
	if order.ClassOf(err) == order.Invalid {
		return http.StatusNotFound, err.Error()
	}
	if r.Context().Err() == nil {
		s.Log.WarnContext(r.Context(), "a page could not be shown", slog.Any("error", err))
	}
	return http.StatusServiceUnavailable, "The orders cannot be read now; the log says why."
}
