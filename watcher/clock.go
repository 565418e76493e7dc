package watcher

import "time"

const (
	// clockSlack is more than a filesystem's times are behind the clock.
	clockSlack = 100 * time.Millisecond
	// clockDrift is more than a clock is off that is not set, between two questions.
	clockDrift = 500 * time.Millisecond
)

// clock knows when the wall clock was set, as far as that shows against the
// monotonic one.
type clock struct {
	start time.Time
	ahead time.Duration // of the wall clock since the start
	setAt time.Duration // when a jump was noticed last; 0 for never
}

// setSince reports whether the wall clock may have been set after a moment,
// given by the time since the start.
func (c *clock) setSince(moment time.Duration) bool {
	now := time.Now()
	return c.jumped(now.Sub(c.start), now.Round(0).Sub(c.start.Round(0)), moment)
}

func (c *clock) jumped(now, wall, moment time.Duration) bool {
	ahead := wall - now
	if (ahead - c.ahead).Abs() > clockDrift {
		c.setAt = now
	}
	c.ahead = ahead
	return c.setAt > 0 && c.setAt >= moment
}
