package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
)

// counting counts the looks for what changed.
type counting struct {
	web.Store

	looks atomic.Int32
}

func (c *counting) Changed(ctx context.Context, within time.Duration, also []string, limit, waiting int) ([]tracking.Status, error) {
	c.looks.Add(1)
	return c.Store.Changed(ctx, within, also, limit, waiting)
}

// running is a service that answers until stop.
type running struct {
	url  string
	stop func()
}

func serve(t *testing.T, store web.Store) running {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, listener, handler(store, web.Options{})) }()
	r := running{url: "http://" + listener.Addr().String()}
	stopped := false
	r.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// stream is what a browser hears.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	close func() error
}

func (r running) follow(t *testing.T, path string, header ...string) stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	t.Cleanup(func() { _ = answer.Body.Close() })
	return stream{t, bufio.NewScanner(answer.Body), answer.Body.Close}
}

// place is the one that a page has its events go on from.
func (r running) place(t *testing.T) string {
	t.Helper()
	answer, err := http.Get(r.url + "/")
	require.NoError(t, err)
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	_, after, _ := strings.Cut(string(page), `sse-connect="/events?since=`)
	place, _, ok := strings.Cut(after, `"`)
	require.True(t, ok)
	return place
}

// until returns the names of events up to a line that has a text.
func (s stream) until(text string) (names []string) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			names = append(names, name)
		}
		if strings.Contains(line, text) {
			return names
		}
	}
	require.Fail(s.t, "the stream ended", "%s: %v", text, s.lines.Err())
	return nil
}

// One look serves all browsers, and what is missed while one is away is told when it is back.
func TestEvents_ofOneLookForAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	store := &counting{Store: s.Store}
	r := serve(t, store)
	place := r.place(t)
	var browsers []stream
	for range 20 {
		browsers = append(browsers, r.follow(t, "/events?since="+place))
	}
	before := store.looks.Load()
	began := time.Now()
	s.place("Demo", "ada", "/data/first.tif")
	for _, b := range browsers {
		b.until("first.tif")
	}
	require.LessOrEqual(t, int(store.looks.Load()-before), int(time.Since(began)/time.Second)+2)

	require.NoError(t, browsers[0].close())
	s.place("Demo", "bob", "/data/second.tif")
	browsers[1].until("second.tif")
	names := r.follow(t, "/events?since=elsewhere", "Last-Event-ID", place).until("second.tif")
	require.Contains(t, names, "new")
	require.NotContains(t, names, "stale")
	names = r.follow(t, "/events?since=other-7").until("data: ")
	require.Equal(t, []string{"stale"}, names)
}

// uncounted is a database that does not count while it is told so.
type uncounted struct {
	counting

	away  atomic.Bool
	tries atomic.Int32
}

func (u *uncounted) Counts(ctx context.Context) (map[order.Stage]int64, error) {
	if u.away.Load() {
		u.tries.Add(1)
		return nil, errors.New("it takes too long")
	}
	return u.Store.Counts(ctx)
}

// What changed is told though nobody knows how many orders there are.
func TestEvents_withoutCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	store := &uncounted{counting: counting{Store: s.Store}}
	r := serve(t, store)
	all := r.follow(t, "/events?since="+r.place(t))
	tries := func(n int32) func() bool {
		return func() bool { return store.tries.Load() >= n }
	}
	store.away.Store(true)
	require.Eventually(t, tries(1), 10*time.Second, 10*time.Millisecond)
	s.place("Demo", "ada", "/data/first.tif")
	require.Eventually(t, tries(store.tries.Load()+2), 10*time.Second, 10*time.Millisecond)
	store.away.Store(false)
	s.place("Demo", "ada", "/data/second.tif")
	require.Contains(t, all.until("second.tif"), "new")
}

// endless has other orders at each look, none of which ends.
type endless struct {
	web.Store

	looks, most atomic.Int32
}

func (e *endless) Changed(_ context.Context, _ time.Duration, also []string, limit, _ int) (found []tracking.Status, err error) {
	e.most.Store(max(e.most.Load(), int32(len(also))))
	look := e.looks.Add(1)
	for i := range limit {
		found = append(found, tracking.Status{UUID: fmt.Sprintf("%d-%d", look, i), Stage: order.Started})
	}
	for _, uuid := range also {
		found = append(found, tracking.Status{UUID: uuid, Stage: order.Started})
	}
	return found, nil
}

func (e *endless) Counts(context.Context) (map[order.Stage]int64, error) {
	return map[order.Stage]int64{}, nil
}

// However long the queue grows while somebody looks, a look costs the same.
func TestEvents_ofAQueueThatGrows(t *testing.T) {
	t.Parallel()
	store := &endless{}
	r := serve(t, store)
	r.follow(t, "/events?since=")
	require.Eventually(t, func() bool { return store.looks.Load() >= 5 }, 30*time.Second, 50*time.Millisecond)
	require.LessOrEqual(t, store.most.Load(), int32(1000))
}

// An order is told of once for each change, and its own page of nothing else.
func TestEvents_areOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := serve(t, s.Store)
	place := r.place(t)
	all := r.follow(t, "/events?since="+place)
	id := s.place("Demo", "ada", "/data/a.tif")
	names := all.until("a.tif")
	own := names[len(names)-1]
	s.place("Demo", "ada", "/data/b.tif")
	s.end(s.begin(), "")
	only := r.follow(t, "/events?since="+place+"&only="+own)
	names = only.until("Completed")
	for _, name := range names {
		require.Equal(t, own, name)
	}
	require.LessOrEqual(t, len(names), 4) // placed, begun, done, and not each second
	require.NoError(t, s.Retry(t.Context(), id, false))
	names = only.until("Pending")
	require.Equal(t, []string{own}, names)
}

func TestEvents_endWithTheServiceAndAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := serve(t, s.Store)
	var last stream
	for range 200 {
		last = r.follow(t, "/events?since=")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/events?since=", nil)
	require.NoError(t, err)
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	r.stop()
	for last.lines.Scan() {
	}
	require.NoError(t, last.lines.Err()) // it was ended, and not cut
}

// Of more than can be told one by one, browsers read their lists again.
func TestEvents_ofVeryMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := serve(t, s.Store)
	place := r.place(t)
	all := r.follow(t, "/events?since="+place)
	for i := range 600 {
		s.place("Demo", fmt.Sprintf("user%d", i), "/data/a.tif")
	}
	s.end(s.begin(), "")
	all.until("event: stale")
}
