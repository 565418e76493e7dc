package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"biomero-importer/agent/notify"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		final       bool
		wanted, age time.Duration
		try         int
		want        notify.Verdict
	}{
		"first":                     {try: 1, want: notify.Verdict{State: "due", Wait: 10 * time.Second}},
		"second":                    {try: 2, want: notify.Verdict{State: "due", Wait: 20 * time.Second}},
		"ninth":                     {try: 9, age: time.Hour, want: notify.Verdict{State: "due", Wait: 2560 * time.Second}},
		"tenth":                     {try: 10, age: time.Hour, want: notify.Verdict{State: "due", Wait: time.Hour}},
		"as the receiver wants":     {try: 1, wanted: 2 * time.Hour, want: notify.Verdict{State: "due", Wait: 2 * time.Hour}},
		"longer than is waited":     {try: 1, wanted: 1000 * time.Hour, age: time.Hour, want: notify.Verdict{State: "due", Wait: 23 * time.Hour}},
		"once more at the end":      {try: 30, age: 24*time.Hour - time.Minute, want: notify.Verdict{State: "due", Wait: time.Minute}},
		"after a day":               {try: 31, age: 24 * time.Hour, want: notify.Verdict{State: "given_up"}},
		"refused":                   {try: 1, final: true, want: notify.Verdict{State: "given_up"}},
		"what was due for too long": {try: 1, age: 100 * time.Hour, want: notify.Verdict{State: "given_up"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.want.Fault = "why  x"
			require.Equal(t, tc.want, notify.Judge("why\r\nx", tc.final, tc.wanted, tc.try, tc.age))
		})
	}
}

// Whatever receivers want, a delivery ends about a day after its order, after not too many tries.
func TestSchedule_ends(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var age, last time.Duration
		for try := 1; ; try++ {
			wanted := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "wanted"))
			if rapid.Bool().Draw(t, "nothing said") {
				wanted = 0
			}
			v := notify.Judge(strings.Repeat("x", 1000), false, wanted, try, age)
			require.LessOrEqual(t, len(v.Fault), 310)
			if v.State == "given_up" {
				require.GreaterOrEqual(t, age, 24*time.Hour)
				return
			}
			require.Positive(t, v.Wait)
			if wanted == 0 {
				require.LessOrEqual(t, v.Wait, time.Hour)
				last = min(last, v.Wait)
			}
			age += v.Wait
			require.LessOrEqual(t, age, 24*time.Hour)
			if wanted > 0 && wanted < time.Second { // a receiver may want to be asked often
				return
			}
		}
	})
	for try, age := 1, time.Duration(0); ; try++ {
		v := notify.Judge("x", false, 0, try, age)
		if age += v.Wait; v.State == "given_up" {
			require.Equal(t, 33, try)
			return
		}
	}
}
