package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// gatherEvery is how long figures serve, whoever asks for them how often.
const gatherEvery = time.Second

// maxScrapes bounds the answers that are written at the same time.
const maxScrapes = 8

// cached gathers now and then.
type cached struct {
	from  prometheus.Gatherer
	every time.Duration

	mu       sync.Mutex
	at       time.Time
	families []*dto.MetricFamily
	err      error
}

// Gather implements prometheus.Gatherer. The result is shared: nobody changes it.
func (c *cached) Gather() ([]*dto.MetricFamily, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= c.every {
		c.families, c.err = c.from.Gather()
		c.at = time.Now()
	}
	return c.families, c.err
}

// Register has mux answer GET /metrics.
func (m *Metrics) Register(mux *http.ServeMux) {
	handler := promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: 10 * time.Second})
	mux.Handle("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		handler.ServeHTTP(w, r)
	}))
}
