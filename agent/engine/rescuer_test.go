package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRescuer_looksAgainAsSoonAsAnAgentMayBeRescued(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		since []time.Duration // ago
		want  time.Duration
	}{
		"nobody is gone":                     {nil, rescueEvery},
		"one has been for a moment":          {[]time.Duration{time.Second}, rescueEvery},
		"one's time is up soon":              {[]time.Duration{time.Second, graceTime - 300*time.Millisecond}, 300 * time.Millisecond},
		"the first of two":                   {[]time.Duration{graceTime - 300*time.Millisecond, graceTime - 200*time.Millisecond}, 200 * time.Millisecond},
		"one's time is up, and it was tried": {[]time.Duration{graceTime}, rescueEvery},
	} {
		r := rescuer{since: map[string]time.Time{}}
		for i, ago := range tc.since {
			r.since[string(rune('a'+i))] = now.Add(-ago)
		}
		require.Equal(t, tc.want, r.next(now), name)
	}
}
