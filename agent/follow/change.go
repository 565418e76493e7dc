package follow

import (
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// Change is where an order stands after something of it changed.
type Change struct {
	Time    time.Time   `json:"time"` // when it was noticed
	UUID    string      `json:"uuid"`
	Stage   order.Stage `json:"stage"`
	Attempt int         `json:"attempt"`
	Group   string      `json:"group"`
	User    string      `json:"user"`
	Reason  string      `json:"reason"` // why it failed
	Waits   string      `json:"waits"`  // why it is not gone on with yet
	// What follows is of a running order that takes longer than a moment.
	Step       string `json:"step"`
	FilesDone  int    `json:"files_done"`
	FilesTotal int    `json:"files_total"`
	BytesDone  int64  `json:"bytes_done"`
	BytesTotal int64  `json:"bytes_total"`
	// BytesPerSecond is the mean since the run began, and Expected when it ends if it
	// goes on so.
	BytesPerSecond float64    `json:"bytes_per_second"`
	Expected       *time.Time `json:"expected"`
}

// changeOf is an order as it is.
func changeOf(s *tracking.Status, now time.Time) Change {
	c := Change{Time: now, UUID: s.UUID, Stage: s.Stage, Attempt: s.Attempt, Group: s.Group, User: s.User, Waits: s.Waits}
	if s.Stage == order.Failed {
		c.Reason = s.Description
	}
	p := s.Progress
	if p == nil || s.Stage.Ended() {
		return c
	}
	c.Step, c.FilesDone, c.FilesTotal, c.BytesDone, c.BytesTotal = p.Step, p.FilesDone, p.FilesTotal, p.BytesDone, p.BytesTotal
	if took := p.Updated.Sub(p.Began).Seconds(); took > 0 {
		c.BytesPerSecond = float64(p.BytesDone) / took
	}
	if at := p.Expected(); !at.IsZero() {
		c.Expected = &at
	}
	return c
}

// same reports whether nothing of an order changed but what is reckoned by the clock.
func (c *Change) same(other *Change) bool {
	a, b := *c, *other
	a.Time, a.BytesPerSecond, a.Expected = b.Time, b.BytesPerSecond, b.Expected
	return a == b
}
