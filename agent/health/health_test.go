package health

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func worker() (*Health, *clock) {
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return newAt([]Part{Database, Engine, Backend}, []Part{Podman}, c.now), c
}

func get(t *testing.T, h *Health, path string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	h.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return w
}

func TestHealthz_followsTheDatabase(t *testing.T) {
	t.Parallel()
	h, _ := worker()
	r := get(t, h, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, r.Code)
	require.Equal(t, "The database does not answer.\n", r.Body.String())
	h.Set(Database, Ready, "")
	r = get(t, h, "/healthz")
	require.Equal(t, http.StatusOK, r.Code)
	require.Equal(t, "ok\n", r.Body.String())
	h.Set(Database, Waiting, "The database does not answer.")
	require.Equal(t, http.StatusServiceUnavailable, get(t, h, "/healthz").Code)
}

// What the service waits for is told, and is no reason to restart it.
func TestHealthz_tellsOfTrouble(t *testing.T) {
	t.Parallel()
	h, _ := worker()
	h.Set(Database, Ready, "")
	h.Set(Podman, Waiting, "Podman does not answer.")
	require.Equal(t, "ok\n", get(t, h, "/healthz").Body.String(), "nobody needs it")
	h.Set(Backend, Waiting, "OMERO is not available.")
	r := get(t, h, "/healthz")
	require.Equal(t, http.StatusOK, r.Code)
	require.Equal(t, "ok\nwaiting: OMERO is not available.\n", r.Body.String())
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	h, c := worker()
	read := func(status int) (answer report) {
		t.Helper()
		r := get(t, h, "/readyz")
		require.Equal(t, status, r.Code)
		require.Equal(t, "application/json", r.Header().Get("Content-Type"))
		require.NoError(t, json.Unmarshal(r.Body.Bytes(), &answer))
		return answer
	}
	began := c.at
	require.Equal(t, report{Parts: []Status{
		{Part: Database, State: Starting, Since: began, Needed: true},
		{Part: Engine, State: Starting, Since: began, Needed: true},
		{Part: Backend, State: Starting, Since: began, Needed: true},
		{Part: Podman, State: Starting, Since: began},
	}}, read(http.StatusServiceUnavailable))

	c.at = began.Add(time.Minute)
	for _, p := range []Part{Database, Engine, Backend} {
		h.Set(p, Ready, "")
	}
	answer := read(http.StatusOK)
	require.True(t, answer.Ready)
	require.Equal(t, Status{Part: Database, State: Ready, Since: c.at, Needed: true}, answer.Parts[0])
	h.Set(Podman, Waiting, "Podman does not answer.")
	read(http.StatusOK)

	since := c.at
	c.at = began.Add(time.Hour)
	h.Set(Backend, Ready, "")
	require.Equal(t, since, read(http.StatusOK).Parts[2].Since, "nothing has changed")
	h.Set(Backend, Waiting, "OMERO is not available.")
	answer = read(http.StatusServiceUnavailable)
	require.False(t, answer.Ready)
	require.Equal(t, Status{Part: Backend, State: Waiting, Since: c.at, Needed: true, Reason: "OMERO is not available."}, answer.Parts[2])

	h.Set(Backend, Standby, "")
	read(http.StatusOK)
	h.Set(Watcher, Waiting, "it is none of this agent's")
	read(http.StatusOK)
	h.Stop()
	read(http.StatusServiceUnavailable)
}

func TestParts_tellOfTheNextChange(t *testing.T) {
	t.Parallel()
	h, _ := worker()
	_, changed := h.Parts()
	h.Set(Database, Starting, "")
	select {
	case <-changed:
		require.Fail(t, "nothing has changed")
	default:
	}
	h.Set(Database, Ready, "")
	<-changed
}
