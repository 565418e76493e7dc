package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// orders is a list of one order, or an error.
type orders struct {
	one tracking.Status
	err error
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
	w := httptest.NewRecorder()
	web.Handler(o, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

var hostile = orders{one: tracking.Status{
	UUID: "u1", Stage: order.Failed, User: `<script>alert(1)</script>`, Description: `"><img src=x onerror=alert(1)>`,
	Files: []tracking.File{{Path: "<script>a.tif", State: tracking.FileFailed, Reason: "<img>"}}, Output: []string{"</pre><script>"},
}}

func TestPage_showsOrdersAsText(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/orders/u1"} {
		r := get(t, hostile, path)
		require.Equal(t, http.StatusOK, r.Code)
		require.Contains(t, r.Header().Get("Content-Security-Policy"), "default-src 'none'")
		page := r.Body.String()
		require.Contains(t, page, "Import Failed")
		require.NotContains(t, page, "<script>")
		require.NotContains(t, page, "<img")
	}
	require.Equal(t, http.StatusNotFound, get(t, hostile, "/orders/u2").Code)
}

func TestPage_ofAnOrder(t *testing.T) {
	t.Parallel()
	o := orders{one: tracking.Status{
		UUID: "u1", Stage: order.Preprocessing, Waits: "Podman is away.", Output: []string{"10%", "20%"},
		Conversions: []tracking.Conversion{{Image: "lab/converter:v1", Digest: "sha256:abc"}}, Files: make([]tracking.File, 250),
	}}
	page := get(t, o, "/orders/u1").Body.String()
	for _, part := range []string{"Import Preprocessing", "Podman is away.", "10%\n20%\n", "lab/converter:v1", "sha256:abc", "And 50 more."} {
		require.Contains(t, page, part)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	r := get(t, hostile, "/api/orders")
	require.Equal(t, "application/json", r.Header().Get("Content-Type"))
	var list []tracking.Status
	require.NoError(t, json.Unmarshal(r.Body.Bytes(), &list))
	require.Equal(t, []tracking.Status{hostile.one}, list)
	require.Equal(t, http.StatusOK, get(t, hostile, "/api/orders/u1").Code)
	require.Equal(t, http.StatusNotFound, get(t, hostile, "/api/orders/u2").Code)
	require.Equal(t, http.StatusNotFound, get(t, hostile, "/elsewhere").Code)
}

func TestPages_ofADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	down := orders{err: errors.New("postgres://ada:hunter2@db is down")}
	for _, path := range []string{"/", "/api/orders", "/api/orders/u1"} {
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
	go func() {
		done <- web.Serve(ctx, listener, web.Handler(hostile, slog.New(slog.DiscardHandler)))
	}()
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
