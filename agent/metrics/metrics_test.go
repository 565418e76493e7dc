package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/health"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue counts how often it is asked.
type queue struct {
	asked atomic.Int64
	depth tracking.Depth
	err   error
}

func (q *queue) Depth(context.Context) (tracking.Depth, error) {
	q.asked.Add(1)
	return q.depth, q.err
}

func config(q Queue) Config {
	return Config{
		Version: "v1", Health: health.New([]health.Part{health.Database}, nil), Queue: q, StateDir: "/",
		Watcher: func() watcher.State {
			return watcher.State{Roots: 2, Missing: 1, Folders: 10, Watches: 9, Limited: true, Unsettled: 3}
		},
	}
}

// text is what a scrape gives.
func text(t *testing.T, m *Metrics) string {
	t.Helper()
	mux := http.NewServeMux()
	m.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(body)
}

func requireLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		require.Contains(t, strings.Split(text, "\n"), "biomero_importer_"+line)
	}
}

func TestMetrics_ofTheEngine(t *testing.T) {
	t.Parallel()
	m := New(config(nil))
	var session error
	o := m.Engine(func(err error) { session = err })
	o.Session(nil)
	o.Session(io.EOF)
	o.Taken(2 * time.Second)
	o.Working(1)
	o.Working(1)
	o.Working(-1)
	o.Converting(1)
	for _, s := range engine.Steps() {
		o.Step(s, time.Second)
	}
	for _, f := range engine.Faults() {
		o.Fault(f)
	}
	o.File(tracking.FileImported)
	o.File(tracking.FileFailed)
	o.Ended(order.Completed, time.Minute)
	o.Ended(order.Failed, time.Hour)
	require.Equal(t, io.EOF, session)
	got := text(t, m)
	requireLines(t, got,
		"sessions_total 1", "order_wait_seconds_sum 2", "orders_running 1", "conversions_running 1",
		`order_step_seconds_count{step="check"} 1`, `errors_total{class="invalid"} 1`, `errors_total{class="backend"} 1`,
		`files_total{state="imported"} 1`, `files_total{state="failed"} 1`,
		`order_run_seconds_sum{outcome="completed"} 60`, `order_run_seconds_sum{outcome="failed"} 3600`)
}

func TestMetrics_ofTheWatcherAndItsDrops(t *testing.T) {
	t.Parallel()
	m := New(config(nil))
	o := m.Watcher()
	o.Taken(time.Minute)
	o.Scanned(time.Second, 7, 70)
	o.Lost()
	m.Recorded([]tracking.Drop{{State: tracking.DropTaken}, {State: tracking.DropTaken, DuplicateOf: "/a"}, {State: tracking.DropRefused}, {State: tracking.DropGone}})
	requireLines(t, text(t, m),
		"settle_seconds_sum 60", "scan_seconds_sum 1", "scanned_folders_total 7", "scanned_files_total 70", "watch_overflows_total 1",
		`drops_total{outcome="taken"} 1`, `drops_total{outcome="duplicate"} 1`, `drops_total{outcome="refused"} 1`, `drops_total{outcome="gone"} 1`,
		"watch_roots 2", "watch_roots_missing 1", "watch_folders 10", "watches 9", "watches_limit_reached 1", "unsettled_files 3")
}

func TestMetrics_ofWhatIsTold(t *testing.T) {
	t.Parallel()
	m := New(config(nil))
	for n, state := range []tracking.DeliveryState{tracking.DeliveryMade, tracking.DeliveryDue, tracking.DeliveryGivenUp} {
		m.Told(state, n+1)
	}
	requireLines(t, text(t, m), `deliveries_total{state="delivered"} 1`, `deliveries_total{state="due"} 2`, `deliveries_total{state="given_up"} 3`)
}

func TestMetrics_ofTheQueueAndTheParts(t *testing.T) {
	t.Parallel()
	q := &queue{depth: tracking.Depth{Pending: 4, Held: 3, Retrying: 2, Running: 1, Oldest: time.Hour}}
	c := config(q)
	got := text(t, New(c))
	requireLines(t, got,
		`queue_orders{state="pending"} 4`, `queue_orders{state="held"} 3`, `queue_orders{state="retrying"} 2`, `queue_orders{state="running"} 1`,
		"queue_oldest_seconds 3600", `part_ready{part="database"} 0`)
	require.Contains(t, got, `biomero_importer_build_info{goversion="go`)
	require.Contains(t, got, "biomero_importer_state_disk_free_bytes ")
	require.Contains(t, got, "go_goroutines ")
	c.Health.Set(health.Database, health.Ready, "")
	requireLines(t, text(t, New(c)), `part_ready{part="database"} 1`)
}

// However often somebody asks, the database is asked now and then, and what it did not
// answer is left out.
func TestMetrics_askTheDatabaseNowAndThen(t *testing.T) {
	t.Parallel()
	for _, q := range []*queue{{}, {err: errors.New("it is away")}} {
		c := config(q)
		s := newStates(&c)
		s.every = time.Hour
		for range 100 {
			_, counted := s.queue()
			require.Equal(t, q.err == nil, counted)
		}
		require.EqualValues(t, 1, q.asked.Load())
		s.every = 0
		s.queue()
		require.EqualValues(t, 2, q.asked.Load())
		require.Equal(t, q.err == nil, strings.Contains(text(t, New(c)), "queue_orders"))
	}
}

func TestCached_gathersNowAndThen(t *testing.T) {
	t.Parallel()
	n := 0
	c := &cached{every: time.Hour, from: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		n++
		return nil, io.EOF
	})}
	for range 100 {
		_, err := c.Gather()
		require.Equal(t, io.EOF, err)
	}
	require.Equal(t, 1, n)
	c.every = 0
	_, _ = c.Gather()
	require.Equal(t, 2, n)
}

// What is exported keeps to the rules for names and helps.
func TestMetrics_keepToTheRules(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(New(config(&queue{})).gatherer)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func BenchmarkObserver(b *testing.B) {
	o := New(config(nil)).Engine(func(error) {})
	for b.Loop() { // what an order of one file costs
		o.Taken(time.Second)
		o.Working(1)
		for _, s := range []engine.Step{engine.StepList, engine.StepCheck, engine.StepPrepare, engine.StepImport, engine.StepEnd} {
			o.Step(s, time.Millisecond)
		}
		o.File(tracking.FileImported)
		o.Ended(order.Completed, time.Second)
		o.Working(-1)
	}
}

func BenchmarkScrape(b *testing.B) {
	m := New(config(&queue{}))
	c, ok := m.gatherer.(*cached)
	require.True(b, ok)
	c.every = 0
	for b.Loop() {
		_, err := c.Gather()
		require.NoError(b, err)
	}
}
