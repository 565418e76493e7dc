package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"biomero-importer/agent/tracking"
)

// charts keeps what was counted of hours, so that a chart of a week asks for hours that
// are over once.
type charts struct {
	store Store

	mu    sync.Mutex
	hours map[time.Time]counted
}

type counted struct {
	tracking.Hour

	at time.Time
}

const (
	// chartHours is as far as charts go back.
	chartHours = 7 * 24
	// countedFor is how long the count of an hour that is not over holds, or that was over
	// only a moment before it was counted.
	countedFor = 30 * time.Second
)

func newCharts(store Store) *charts { return &charts{store: store, hours: map[time.Time]counted{}} }

// series are the points of charts, one an hour.
type series struct {
	Hours     []int64   `json:"hours"` // seconds since 1970
	Completed []int     `json:"completed"`
	Failed    []int     `json:"failed"`
	Wait      []float64 `json:"wait"` // seconds that half of the orders waited at most
	SlowWait  []float64 `json:"slow_wait"`
	Run       []float64 `json:"run"`
}

// last returns the last hours, the newest last.
func (c *charts) last(ctx context.Context, n int, now time.Time) (series, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := now.UTC().Truncate(time.Hour).Add(-time.Duration(n-1) * time.Hour)
	for h := range c.hours {
		if now.Sub(h) > (chartHours+1)*time.Hour {
			delete(c.hours, h)
		}
	}
	var s series
	for i := range n {
		from := first.Add(time.Duration(i) * time.Hour)
		known, ok := c.hours[from]
		if over := from.Add(time.Hour + slack); !ok || known.at.Before(over) && now.Sub(known.at) > countedFor {
			hour, err := c.store.Hour(ctx, from)
			if err != nil {
				return series{}, err
			}
			known = counted{hour, now}
			c.hours[from] = known
		}
		s.Hours = append(s.Hours, from.Unix())
		s.Completed = append(s.Completed, known.Completed)
		s.Failed = append(s.Failed, known.Failed)
		s.Wait = append(s.Wait, known.Wait.Seconds())
		s.SlowWait = append(s.SlowWait, known.SlowWait.Seconds())
		s.Run = append(s.Run, known.Run.Seconds())
	}
	return s, nil
}

func (s *server) hours(w http.ResponseWriter, r *http.Request) {
	n := 24
	if r.URL.Query().Get("for") == "week" {
		n = chartHours
	}
	points, err := s.charts.last(r.Context(), n, time.Now())
	s.reply(w, r, points, err)
}
