package notify_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/notify"
	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// post is what a receiver got.
type post struct {
	path   string
	header http.Header
	body   string
}

// receiver is a server that hands on what it gets, and then answers.
func receiver(t *testing.T, answer http.HandlerFunc) (s *httptest.Server, got chan post) {
	t.Helper()
	got = make(chan post, 100)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- post{r.Method + " " + r.URL.Path, r.Header, string(body)}
		answer(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Close)
	return s, got
}

func answered(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestWebhook_isToldOfEachEndOnce(t *testing.T) {
	t.Parallel()
	server, got := receiver(t, answered(http.StatusNoContent))
	server.StartTLS()
	chat, said := receiver(t, answered(http.StatusOK))
	chat.Start()
	template, err := message.ParseTemplate(`{"text": {{json (printf "%s: %s" .Stage .Reason)}}}`)
	require.NoError(t, err)
	s := newSite(t)
	s.end("ada", order.Completed, "") // before anybody was told
	config := notify.Config{
		PageURL: "https://importer.example.org/", RootCAs: pool(server.Certificate()),
		Webhooks: []notify.Webhook{
			{URL: server.URL + "/orders?token=hunter2", Key: key(t), Stages: bothStages},
			{URL: chat.URL, Template: template, Stages: []order.Stage{order.Failed}},
		},
	}
	s.run(config)
	s.run(config) // another agent
	completed := s.end("ada", order.Completed, "")
	failed := s.end("ada", order.Failed, `"a" is empty.`)

	events := map[string]message.Event{}
	for range 2 {
		p := <-got
		require.Equal(t, "POST /orders", p.path)
		require.Equal(t, "application/json", p.header.Get("Content-Type"))
		var e message.Event
		require.NoError(t, json.Unmarshal([]byte(p.body), &e))
		events[e.UUID] = e
		require.Equal(t, e.ID, p.header.Get(message.HeaderID))
		at, err := strconv.ParseInt(p.header.Get(message.HeaderTimestamp), 10, 64)
		require.NoError(t, err)
		signed := http.Header{}
		message.Sign(signed, key(t), e.ID, time.Unix(at, 0), []byte(p.body))
		require.Equal(t, signed.Get(message.HeaderSignature), p.header.Get(message.HeaderSignature))
	}
	e := events[failed]
	require.Equal(t, []any{1, "Import Failed", "Demo", "ada", "Dataset", "151", `"a" is empty.`, int64(1), "https://importer.example.org/orders/" + failed},
		[]any{e.Version, e.Stage, e.Group, e.User, e.DestinationType, e.DestinationID, e.Reason, e.FilesImported, e.URL})
	require.Equal(t, "Import Completed", events[completed].Stage)
	p := <-said
	require.JSONEq(t, `{"text": "Import Failed: \"a\" is empty."}`, p.body)
	require.Empty(t, p.header.Get(message.HeaderSignature))
	s.eventually(func() bool {
		return s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'delivered' AND tries = 1 AND error = ''`) == 3
	})
	s.stop()
	require.Empty(t, got)
	require.Empty(t, said)
	require.Zero(t, s.number(`SELECT count(*) FROM importer.deliveries d WHERE to_jsonb(d)::text ~ 'hunter2|token'`))
}

func TestWebhook_faults(t *testing.T) {
	t.Parallel()
	elsewhere, strayed := receiver(t, answered(http.StatusOK))
	elsewhere.Start()
	for name, tc := range map[string]struct {
		answer   http.HandlerFunc
		state    tracking.DeliveryState
		fault    string
		from, to time.Duration // until the next try
		posts    int           // one, where none are given
	}{
		"error":       {answered(500), tracking.DeliveryDue, "It answered 500 Internal Server Error.", 0, 10 * time.Second, 0},
		"bad gateway": {answered(502), tracking.DeliveryDue, "It answered 502 Bad Gateway.", 0, 10 * time.Second, 0},
		"timeout":     {answered(408), tracking.DeliveryDue, "It answered 408 Request Timeout.", 0, 10 * time.Second, 0},
		"busy": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		}, tracking.DeliveryDue, "It answered 429 Too Many Requests.", time.Hour, 2 * time.Hour, 0},
		"busy for ever": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999999999999")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, tracking.DeliveryDue, "It answered 503 Service Unavailable.", 0, 24 * time.Hour, 0},
		"gone":        {answered(410), tracking.DeliveryGivenUp, "It answered 410 Gone.", 0, 0, 0},
		"bad request": {answered(400), tracking.DeliveryGivenUp, "It answered 400 Bad Request.", 0, 0, 0},
		"redirect elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, tracking.DeliveryGivenUp, "It answered 307, which leads elsewhere and is not followed: give the address that it leads to.", 0, 0, 0},
		"redirect to another request": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/there", http.StatusFound)
		}, tracking.DeliveryGivenUp, "It answered 302, which leads elsewhere", 0, 0, 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				http.Redirect(w, r, "/there", http.StatusPermanentRedirect)
			}
		}, tracking.DeliveryMade, "", 0, 0, 2},
		"redirects without an end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/there", http.StatusPermanentRedirect)
		}, tracking.DeliveryGivenUp, "It answered 308, which leads elsewhere", 0, 0, 4},
		"reset": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, tracking.DeliveryDue, "It cannot be reached: ", 0, 10 * time.Second, 0},
		"endless header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, tracking.DeliveryDue, "It cannot be reached: ", 0, 10 * time.Second, 0},
		"endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			for _, err := w.Write(make([]byte, 1<<16)); err == nil; _, err = w.Write(make([]byte, 1<<16)) { //nolint:revive // until the reader has had enough
			}
		}, tracking.DeliveryMade, "", 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, got := receiver(t, tc.answer)
			server.Start()
			s := newSite(t)
			s.run(notify.Config{Webhooks: []notify.Webhook{{URL: server.URL + "/hunter2", Stages: bothStages}}})
			id := s.end("ada", order.Completed, "")
			d := s.settled(id)
			s.stop()
			require.Equal(t, tc.state, d.State, d.Error)
			require.Contains(t, d.Error, tc.fault)
			require.NotContains(t, d.Error+d.Target, "hunter2")
			require.Equal(t, tc.state != tracking.DeliveryDue, d.Settled != nil)
			if tc.state == tracking.DeliveryDue {
				require.WithinRange(t, *d.Due, time.Now().Add(tc.from), time.Now().Add(tc.to))
			}
			first := <-got
			require.Len(t, got, max(tc.posts, 1)-1)
			for range len(got) {
				again := <-got
				require.Equal(t, first.body, again.body)
			}
		})
	}
	t.Cleanup(func() { require.Empty(t, strayed, "another host is never told") })
}

// What does not verify is not told, and tried again: its certificate may be renewed.
func TestWebhook_isVerified(t *testing.T) {
	t.Parallel()
	server, got := receiver(t, answered(200))
	server.StartTLS()
	s := newSite(t)
	s.run(notify.Config{Webhooks: []notify.Webhook{{URL: server.URL, Stages: bothStages}}})
	d := s.settled(s.end("ada", order.Completed, ""))
	require.Equal(t, tracking.DeliveryDue, d.State)
	require.Contains(t, d.Error, "certificate")
	require.Empty(t, got)
}

func TestWebhook_isTriedAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	var code atomic.Int32
	code.Store(http.StatusInternalServerError)
	server, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) })
	server.Start()
	s := newSite(t)
	config := notify.Config{Webhooks: []notify.Webhook{{URL: server.URL, Key: key(t), Stages: bothStages}}}
	s.run(config)
	id := s.end("ada", order.Completed, "")
	first := <-got
	s.settled(id)
	s.stop()
	code.Store(http.StatusOK)
	s.pass(notify.Lease) // where a slow machine was at the next try already
	s.run(config)        // as after a restart
	again := <-got
	require.Equal(t, first.body, again.body)
	require.Equal(t, first.header.Get(message.HeaderID), again.header.Get(message.HeaderID))
	s.eventually(func() bool { return s.delivery(id).State == tracking.DeliveryMade })
	require.GreaterOrEqual(t, s.delivery(id).Tries, 2)
}

// An agent that dies after a receiver was told, and before that is recorded, tells it again.
func TestWebhook_isToldAgainAfterAKill(t *testing.T) {
	t.Parallel()
	killed, hold := make(chan struct{}), make(chan struct{}, 1)
	hold <- struct{}{}
	server, got := receiver(t, func(http.ResponseWriter, *http.Request) {
		select {
		case <-hold: // the first is not answered before its sender is dead
			<-killed
		default:
		}
	})
	server.Start()
	s := newSite(t)
	agent := s.launch(childHook + "=" + server.URL)
	s.eventually(func() bool { return s.number(`SELECT count(*) FROM importer.notify_targets`) == 1 })
	id := s.end("ada", order.Completed, "")
	first := <-got
	require.NoError(t, agent.Process.Kill())
	_ = agent.Wait()
	close(killed)
	d := s.delivery(id)
	require.Equal(t, []any{tracking.DeliveryDue, 1}, []any{d.State, d.Tries})

	s.run(notify.Config{Webhooks: []notify.Webhook{{URL: server.URL, Stages: bothStages}}})
	require.Empty(t, got, "it could still be at it")
	s.pass(notify.Lease)
	again := <-got
	require.Equal(t, first.header.Get(message.HeaderID), again.header.Get(message.HeaderID))
	require.Equal(t, first.body, again.body)
	s.delivered(id, 2)
}

// A receiver that does not answer keeps neither another, nor an order, nor the service's end
// waiting.
func TestWebhook_thatIsSlowHoldsNothingUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow, stuck := receiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	slow.Start()
	defer close(release)
	quick, got := receiver(t, answered(200))
	quick.Start()
	s := newSite(t)
	s.run(notify.Config{Webhooks: []notify.Webhook{{URL: slow.URL, Stages: bothStages}, {URL: quick.URL, Stages: bothStages}}})
	var ids []string
	for range 10 {
		ids = append(ids, s.end("ada", order.Completed, ""))
	}
	for range ids {
		<-got
	}
	s.eventually(func() bool {
		return s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'delivered'`) == len(ids)
	})
	<-stuck
	<-stuck
	require.Empty(t, stuck, "two at a time")
	s.stop()
	require.Equal(t, 2, s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'due' AND tries = 1 AND due_at <= now() AND error = 'The service was stopped meanwhile.'`))
	require.Equal(t, 8, s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'due' AND tries = 0`))
}

// Agents that share a database share what is due: nothing is told twice as long as none dies.
func TestWebhook_isToldByOneOfManyAgents(t *testing.T) {
	t.Parallel()
	server, got := receiver(t, answered(200))
	server.Start()
	s := newSite(t)
	const orders = 60
	for n := range orders {
		if n == 1 { // they come upon the rest as it ends
			for range 4 {
				s.run(notify.Config{Webhooks: []notify.Webhook{{URL: server.URL, Stages: bothStages}}})
			}
		}
		s.end("ada", order.Completed, "")
	}
	s.eventually(func() bool {
		return s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'delivered' AND tries = 1`) == orders-1
	})
	s.stop()
	require.Len(t, got, orders-1)
	ids := map[string]bool{}
	for range orders - 1 {
		ids[(<-got).header.Get(message.HeaderID)] = true
	}
	require.Len(t, ids, orders-1)
}
