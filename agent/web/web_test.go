package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/access"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/agent/web"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

// orders is a list of one order, or an error.
type orders struct {
	web.Store

	trouble string
	one     tracking.Status
	err     error
}

func (o orders) Recent(context.Context, int) ([]tracking.Status, error) {
	return []tracking.Status{o.one}, o.err
}

func (o orders) Show(_ context.Context, uuid string) (*tracking.Status, error) {
	if o.err == nil && uuid != o.one.UUID {
		return nil, order.Errorf(order.Invalid, "There is no order %q.", uuid)
	}
	return &o.one, o.err
}

func get(t *testing.T, o orders, path string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, o, web.Options{Trouble: func() string { return o.trouble }}, httptest.NewRequest(http.MethodGet, path, nil))
}

// ask asks a page once.
func ask(t *testing.T, store web.Store, o web.Options, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r.Host = "localhost"
	handler(store, o).ServeHTTP(w, r)
	return w
}

// handler answers this machine, as an operator.
func handler(store web.Store, o web.Options) http.Handler {
	if o.Log = slog.New(slog.DiscardHandler); o.Trouble == nil {
		o.Trouble = func() string { return "" }
	}
	return access.New(access.Config{Loopback: true}).Wrap(web.Handler(store, o))
}

// viewer is a header by which a request of this machine may only read.
const viewer = "Via"

var one = orders{one: tracking.Status{UUID: "u1", Stage: order.Failed, Files: []tracking.File{}, Metadata: map[string]string{}}}

func TestAPI(t *testing.T) {
	t.Parallel()
	r := get(t, one, "/api/orders")
	require.Equal(t, "application/json", r.Header().Get("Content-Type"))
	var list []tracking.Status
	require.NoError(t, json.Unmarshal(r.Body.Bytes(), &list))
	require.Equal(t, []tracking.Status{one.one}, list)
	require.Equal(t, http.StatusOK, get(t, one, "/api/orders/u1").Code)
	require.Equal(t, http.StatusNotFound, get(t, one, "/api/orders/u2").Code)
	require.Equal(t, http.StatusNotFound, get(t, one, "/elsewhere").Code)
}

func TestPages_ofADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	down := orders{err: errors.New("postgres://ada:hunter2@db is down")}
	for _, path := range []string{"/api/orders", "/api/orders/u1"} {
		r := get(t, down, path)
		require.Equal(t, http.StatusServiceUnavailable, r.Code, path)
		require.NotContains(t, r.Body.String(), "hunter2", path)
	}
}

func TestServe_endsWithItsContext(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, listener, handler(one, web.Options{})) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + listener.Addr().String() + "/api/orders")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, http.StatusOK, r.StatusCode)

	idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, idle.Close()) }()
	cancel()
	require.NoError(t, <-done)
}
