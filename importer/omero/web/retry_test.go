package web_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
	"biomero-importer/importer/omero/web"
)

// How often something is asked when the first answers are bad ones.
func TestAttempts(t *testing.T) {
	t.Parallel()
	const once, more = 1, 2
	for name, tc := range map[string]struct {
		then           handler
		reading, again int // for a request that may be repeated, and for one that may not
	}{
		"cut":                   {cut, more, once},
		"cut within":            {cutWithin, more, once},
		"500":                   {says(500, "", "x"), once, once},
		"502":                   {says(502, "", "x"), more, once},
		"503":                   {says(503, "", "x"), more, once},
		"503, soon":             {says(503, "", "x", "Retry-After", "0"), more, more},
		"504":                   {says(504, "", "x"), more, once},
		"429":                   {says(429, "", "x"), more, once},
		"429, soon":             {says(429, "", "x", "Retry-After", "0"), more, more},
		"429, by date":          {says(429, "", "x", "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), more, more},
		"429, much later":       {says(429, "", "x", "Retry-After", "3"), once, once},
		"429, not in this life": {says(429, "", "x", "Retry-After", "9223372036854775807"), once, once},
		"half the JSON":         {says(200, "application/json", `{"data`), once, once},
		"refused":               {says(403, "application/json", `{"message":"no"}`), once, once},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			f.containers = []container{{kind: "Dataset", id: 7, name: "d", owner: 7, group: 3, canLink: true}}
			s := f.session()
			f.on(read, tc.then)
			f.on(annotate, tc.then)
			f.on("POST /webclient/action/savename/image/5/", tc.then)
			_, err := s.Container(t.Context(), importer.Dataset, 7)
			require.Equal(t, tc.reading > 1, err == nil)
			require.Equal(t, tc.reading, f.count(read))
			err = s.Annotate(t.Context(), oneAnnotation())
			require.Equal(t, tc.again > 1, err == nil)
			require.Equal(t, tc.again, f.count(annotate))
			require.Len(t, f.annotated, tc.again-1)
			err = s.Rename(t.Context(), []model.Naming{{Object: model.Object{Type: model.Image, ID: 5}, Name: "n"}})
			require.Equal(t, tc.reading > 1, err == nil)
			require.Equal(t, tc.reading, f.count("POST /webclient/action/savename/image/5/"))
			require.NoError(t, s.Close(t.Context()))
		})
	}
}

// An annotation that was made, though its answer was lost, is not made again.
func TestAnnotateOnceThoughAnswerIsLost(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	var made atomic.Int32
	f.always(annotate, func(w http.ResponseWriter, r *http.Request) bool {
		made.Add(1)
		return cut(w, r)
	})
	require.ErrorIs(t, s.Annotate(t.Context(), oneAnnotation()), model.ErrUnavailable)
	require.EqualValues(t, 1, made.Load())
	require.NoError(t, s.Close(t.Context()))
}

// Attempts end.
func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	f.always(read, says(502, "text/html", "x"))
	f.always(annotate, says(503, "text/html", "x", "Retry-After", "0"))
	_, err := s.Container(t.Context(), importer.Dataset, 7)
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "status 502")
	require.Equal(t, 4, f.count(read))
	require.ErrorIs(t, s.Annotate(t.Context(), oneAnnotation()), model.ErrUnavailable)
	require.Equal(t, 4, f.count(annotate))
	require.NoError(t, s.Close(t.Context()))
}

// A server that asks for more patience than the caller has is not waited for.
func TestRetryAfterDeadline(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	f.always(read, says(503, "text/html", "x", "Retry-After", "2"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := s.Container(ctx, importer.Dataset, 7)
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.NoError(t, ctx.Err())
	require.Equal(t, 1, f.count(read))

	// One second fits, and is kept.
	f.containers = []container{{kind: "Dataset", id: 8, name: "d", owner: 7, group: 3, canLink: true}}
	f.on("GET /api/v0/m/datasets/8/", says(503, "text/html", "x", "Retry-After", "1"))
	began := time.Now()
	_, err = s.Container(t.Context(), importer.Dataset, 8)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.NoError(t, s.Close(t.Context()))
}

// first calls a function at the first record of a message.
type first struct {
	slog.Handler

	message string
	do      func()
}

func (h first) Enabled(context.Context, slog.Level) bool { return true }

func (h first) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.do()
	}
	return nil
}

// Nothing was sent to a server that does not take connections, so all is tried again, the
// password too.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	address := f.server.Listener.Addr().String()
	config := f.config()
	f.server.Close()
	err := newClient(t, config).Ping(t.Context())
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused")
	require.Empty(t, f.requests)

	start := sync.OnceFunc(func() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		server := &http.Server{Handler: f}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	})
	c, err := web.New(config, slog.New(first{slog.DiscardHandler, "asking OMERO.web again", start}))
	require.NoError(t, err)
	c.Hurry()
	require.NoError(t, c.Ping(t.Context()))
}

func TestRefusedConnectionOfAnnotation(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	address := f.server.Listener.Addr().String()
	restart := sync.OnceFunc(func() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		server := &http.Server{Handler: f}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	})
	c, err := web.New(f.config(), slog.New(first{slog.DiscardHandler, "asking OMERO.web again", restart}))
	require.NoError(t, err)
	c.Hurry()
	s, err := c.Login(t.Context(), "alice", "lab")
	require.NoError(t, err)
	f.server.Close() // the connection is gone, and no other is taken
	// Whether the client knows that its connection is gone is a matter of luck.
	require.Eventually(t, func() bool {
		return s.Annotate(t.Context(), oneAnnotation()) == nil
	}, 10*time.Second, time.Millisecond)
	require.Len(t, f.annotated, 1)
	require.NoError(t, s.Close(t.Context()))
}
