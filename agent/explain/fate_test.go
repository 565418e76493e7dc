package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// What is recorded counts before what is changing, and that before what would become of it.
func TestFate(t *testing.T) {
	t.Parallel()
	settled := watcher.Sight{Standing: watcher.IsSettled}
	changing := watcher.Sight{Standing: watcher.IsSettling, Left: 11500 * time.Millisecond}
	open := watcher.Sight{Standing: watcher.IsSettling, Why: "a program has it open"}
	manifest := watcher.Sight{Standing: watcher.IsSettling, Left: time.Second, Drop: watcher.Drop{Control: true}}
	record := func(state tracking.DropState) tracking.Drop {
		return tracking.Drop{Version: 1, State: state, UUID: "u", Reason: "why"}
	}
	for _, tc := range []struct {
		sight  watcher.Sight
		out    intake.Outlook
		state  State
		reason string
	}{
		{settled, intake.Outlook{Fate: intake.Ordered}, Ready, ""},
		{changing, intake.Outlook{Fate: intake.Ordered}, Settling, "settling, 12 s left"},
		{open, intake.Outlook{Fate: intake.Ordered}, Settling, "settling: a program has it open"},
		{changing, intake.Outlook{Fate: intake.Taken, Record: record(tracking.DropTaken)}, Taken, "part of the order u"},
		{changing, intake.Outlook{Fate: intake.Refused, Reason: "The file is empty."}, Settling, "settling, 12 s left"},
		{changing, intake.Outlook{Fate: intake.Refused, Reason: "why", Record: record(tracking.DropRefused)}, Refused, "why"},
		{changing, intake.Outlook{Fate: intake.Held, Reason: "It waits."}, Settling, "settling, 12 s left. It waits."},
		{settled, intake.Outlook{Fate: intake.Held, Reason: "It waits."}, Held, "It waits."},
		{settled, intake.Outlook{Fate: intake.Passed, Reason: "It changed."}, Changed, "It changed."},
		{manifest, intake.Outlook{Fate: intake.Refused, Reason: "line 1"}, Refused, "line 1"},
		{manifest, intake.Outlook{Fate: intake.Waiting}, Settling, "settling, 1 s left"},
		{settled, intake.Outlook{Fate: intake.Waiting}, Ready, ""},
		{settled, intake.Outlook{Fate: intake.Waiting, Named: []intake.Named{{Pattern: "/a", Paths: []string{"/a"}}, {Pattern: "/b"}}}, Waiting, `"/b" is not there`},
		{settled, intake.Outlook{Fate: intake.Waiting, Named: []intake.Named{{Pattern: "/a", Fault: "too many"}}}, Waiting, `"/a" cannot be looked for: too many`},
	} {
		state, reason := fate(&tc.sight, &tc.out)
		require.Equal(t, tc.state, state, tc.out)
		require.Equal(t, tc.reason, reason)
	}
}

func TestRoundUp_neverSaysNone(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1 s", roundUp(time.Millisecond))
	require.Equal(t, "119 s", roundUp(119*time.Second))
	require.Equal(t, "2m0s", roundUp(119001*time.Millisecond))
}
