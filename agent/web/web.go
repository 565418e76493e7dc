package web

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// shown is how many orders the page and the list hold, and how many files an order's page.
const shown = 200

// Orders is where orders are read from.
type Orders interface {
	Recent(ctx context.Context, limit int) ([]tracking.Status, error)
	Show(ctx context.Context, uuid string) (*tracking.Status, error)
}

//go:embed *.html
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"class": class, "files": shownFiles, "more": moreFiles}).ParseFS(files, "*.html"))

func shownFiles(files []tracking.File) []tracking.File { return files[:min(len(files), shown)] }

func moreFiles(files []tracking.File) int { return max(len(files)-shown, 0) }

func class(s order.Stage) string {
	switch s {
	case order.Completed:
		return "completed"
	case order.Failed:
		return "failed"
	default:
		return "waiting"
	}
}

type server struct {
	orders Orders
	log    *slog.Logger
}

// Handler answers GET / and /orders/UUID (pages), and /api/orders and /api/orders/UUID (JSON).
func Handler(orders Orders, log *slog.Logger) http.Handler {
	s := &server{orders: orders, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /orders/{uuid}", s.order)
	mux.HandleFunc("GET /api/orders", s.list)
	mux.HandleFunc("GET /api/orders/{uuid}", s.one)
	return guard(mux)
}

// guard keeps what hostile names may smuggle into a page from doing anything.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	list, err := s.orders.Recent(r.Context(), shown)
	s.show(w, r, "page.html", list, err)
}

func (s *server) order(w http.ResponseWriter, r *http.Request) {
	found, err := s.orders.Show(r.Context(), r.PathValue("uuid"))
	s.show(w, r, "order.html", found, err)
}

// show answers with a page.
func (s *server) show(w http.ResponseWriter, r *http.Request, name string, value any, err error) {
	var out bytes.Buffer
	if err == nil {
		err = pages.ExecuteTemplate(&out, name, value)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.WriteTo(w)
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	list, err := s.orders.Recent(r.Context(), shown)
	s.reply(w, r, list, err)
}

func (s *server) one(w http.ResponseWriter, r *http.Request) {
	found, err := s.orders.Show(r.Context(), r.PathValue("uuid"))
	s.reply(w, r, found, err)
}

func (s *server) reply(w http.ResponseWriter, r *http.Request, value any, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data, err := json.Marshal(value)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(data, '\n'))
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if order.ClassOf(err) == order.Invalid {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	s.log.WarnContext(r.Context(), "a page could not be shown", slog.Any("error", err))
	http.Error(w, "The orders cannot be read now; the log says why.", http.StatusServiceUnavailable)
}

// Serve answers on listener until ctx ends. Who may ask is for the handler to say.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		// Browsers open connections that they then leave idle.
		if srv.Shutdown(bound) != nil {
			_ = srv.Close()
		}
	}()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the status page: %w", err)
	}
	<-stopped
	return nil
}
