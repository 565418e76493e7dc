package api

import (
	"context"
	_ "embed" // the description
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"biomero-importer/agent/access"
	"biomero-importer/agent/order"
	"biomero-importer/agent/problem"
	"biomero-importer/agent/submit"
	"biomero-importer/agent/tracking"
)

// Root is what all paths begin with.
const Root = "/api/v1/"

//go:embed openapi.yml
var description []byte

// Orders is where orders are read, and changed.
type Orders interface {
	List(ctx context.Context, f tracking.Filter) (tracking.Page, error)
	Show(ctx context.Context, uuid string) (*tracking.Status, error)
	Placed(ctx context.Context, uuid string) (order.Order, error)
	Retry(ctx context.Context, uuid string, all bool) error
	Cancel(ctx context.Context, uuid string) error
}

// Config is what the API works with.
type Config struct {
	Orders   Orders
	Placer   *submit.Placer
	Operator func(http.Handler) http.Handler // lets through who may act
	Log      *slog.Logger
}

type server struct{ Config }

// route is a path and what answers each method.
type route struct {
	path    string
	methods map[string]http.Handler
}

func (s *server) routes() []route {
	get := func(do http.HandlerFunc) http.Handler { return do }
	act := func(do http.HandlerFunc) http.Handler { return s.Operator(do) }
	return []route{
		{"orders", map[string]http.Handler{"GET": get(s.list), "POST": act(s.place)}},
		{"orders/{uuid}", map[string]http.Handler{"GET": get(s.show)}},
		{"orders/{uuid}/retry", map[string]http.Handler{"POST": act(s.retry)}},
		{"orders/{uuid}/cancel", map[string]http.Handler{"POST": act(s.cancel)}},
		{"openapi.yml", map[string]http.Handler{"GET": get(describe)}},
	}
}

// Handler answers what is below Root. Who asks has to have been found out by access.Guard.
func Handler(c Config) http.Handler {
	s := &server{c}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(Root+r.path, r.serve)
	}
	mux.HandleFunc(Root, func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusNotFound, "There is nothing here; "+Root+"openapi.yml tells what there is.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		mux.ServeHTTP(w, r)
	})
}

func (r route) serve(w http.ResponseWriter, request *http.Request) {
	method := request.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := r.methods[method]; h != nil {
		h.ServeHTTP(w, request)
		return
	}
	var allowed []string
	for name := range r.methods {
		allowed = append(allowed, name)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem.Write(w, http.StatusMethodNotAllowed, "This path is for "+strings.Join(allowed, " and ")+".")
}

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description)
}

// list is a page of a list, as its JSON has it.
type list struct {
	Orders []tracking.Status `json:"orders"`
	Next   string            `json:"next,omitempty"`
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	f, err := filter(r.URL.RawQuery)
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := s.Orders.List(r.Context(), f)
	if order.ClassOf(err) == order.Invalid {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	s.reply(w, r, http.StatusOK, list{page.Orders, page.Next}, err)
}

func (s *server) show(w http.ResponseWriter, r *http.Request) {
	found, err := s.Orders.Show(r.Context(), r.PathValue("uuid"))
	s.reply(w, r, http.StatusOK, found, err)
}

func (s *server) retry(w http.ResponseWriter, r *http.Request) {
	all, err := parameters(r.URL.RawQuery, "all")
	if err == nil && !slices.Contains([]string{"", "true", "false"}, all.Get("all")) {
		err = order.Errorf(order.Invalid, "all is true or false.")
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	s.change(w, r, "retry", func(ctx context.Context, uuid string) error {
		return s.Orders.Retry(ctx, uuid, all.Get("all") == "true")
	})
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, "cancel", s.Orders.Cancel)
}

// change asks for something to be done with an order, which may take a while.
func (s *server) change(w http.ResponseWriter, r *http.Request, what string, do func(ctx context.Context, uuid string) error) {
	uuid := r.PathValue("uuid")
	if err := do(r.Context(), uuid); err != nil {
		s.fail(w, r, err, http.StatusConflict)
		return
	}
	s.note(r, what, uuid)
	w.Header().Set("Location", Root+"orders/"+url.PathEscape(uuid))
	w.WriteHeader(http.StatusAccepted)
}

// note says in the log who did what.
func (s *server) note(r *http.Request, what, uuid string) {
	id := access.From(r.Context())
	s.Log.InfoContext(r.Context(), "asked for over HTTP", slog.String("what", what), slog.String("order", uuid),
		slog.String("by", id.Name), slog.String("role", id.Role.String()))
}

func (s *server) reply(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	var data []byte
	if err == nil {
		data, err = json.Marshal(value)
	}
	if err != nil {
		s.fail(w, r, err, http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

// fail answers with what is wrong; invalid is the status of what cannot be done as it was
// asked for.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error, invalid int) {
	if errors.Is(err, tracking.ErrUnknown) {
		problem.Write(w, http.StatusNotFound, "There is no order with this uuid.")
		return
	}
	switch order.ClassOf(err) {
	case order.Invalid:
		problem.Write(w, invalid, err.Error())
		return
	case order.Denied:
		problem.Write(w, http.StatusForbidden, err.Error())
		return
	case order.Busy, order.Broken:
	}
	s.Log.WarnContext(r.Context(), "a request could not be answered", slog.String("path", r.URL.Path), slog.Any("error", err))
	w.Header().Set("Retry-After", "10")
	problem.Write(w, http.StatusServiceUnavailable, "This cannot be done now; the service's log says why. Try again later.")
}
