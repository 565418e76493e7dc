package tracking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestCancel_endsWhatWaits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pending := f.insert(`["/data/a.tif"]`)
	require.NoError(t, f.Cancel(t.Context(), pending))
	require.Equal(t, []string{"Import Pending", "Import Failed"}, f.stages(pending))
	again := f.begun()
	require.NoError(t, f.PutBack(t.Context(), again.Job, time.Hour, true, "", nil))
	require.NoError(t, f.Cancel(t.Context(), again.Job.UUID))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed"}, f.stages(again.Job.UUID))
	require.Empty(t, f.take())
	for _, id := range []string{pending, again.Job.UUID} {
		st, err := f.Show(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "The order was cancelled.", st.Description)
		require.Equal(t, 1, st.Attempt)
		require.Equal(t, order.Invalid, order.ClassOf(f.Cancel(t.Context(), id)), "it has ended")
	}
	require.Equal(t, order.Invalid, order.ClassOf(f.Cancel(t.Context(), "nobody")))

	// It can be asked for once more.
	require.NoError(t, f.Retry(t.Context(), pending, false))
	require.Equal(t, []attempt{{pending, 2}}, attempts(f.take()))
}

func TestCancel_tellsTheAgentOfARunningOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	f.exec(insertPending, w.Job.UUID, `["/data/b.tif"]`) // what waits for it goes with it
	require.NoError(t, f.Cancel(t.Context(), w.Job.UUID))
	waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent}, 0)
	require.NoError(t, err)
	require.Equal(t, []tracking.Run{{Job: w.Job, Cancelled: true}}, waiting.Running)
	waiting, err = f.Waiting(t.Context(), tracking.Agent{Name: "another"}, 0)
	require.NoError(t, err)
	require.Empty(t, waiting.Running)
	// Whoever takes it up after a crash is told, too, at once and though it is paused.
	require.NoError(t, f.Pause(t.Context(), "", ""))
	require.NoError(t, f.PutBack(t.Context(), w.Job, time.Hour, true, "", nil))
	w = f.take()[0]
	require.True(t, w.Cancelled)
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "The order was cancelled."}))
	require.NoError(t, f.Resume(t.Context(), "", ""))
	require.Empty(t, f.take())
	require.NoError(t, f.Retry(t.Context(), w.Job.UUID, false))
	require.False(t, f.take()[0].Cancelled)
}

func TestPause_keepsOrdersWaiting(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		group, user string
		taken       []string
	}{
		"all":              {"", "", nil},
		"group":            {"A", "", []string{"B/ada/1", "B/bob/1"}},
		"user":             {"", "ada", []string{"A/bob/1", "B/bob/1"}},
		"user of a group":  {"A", "ada", []string{"A/bob/1", "B/ada/1", "B/bob/1"}},
		"somebody unknown": {"C", "", []string{"A/ada/1", "A/bob/1", "B/ada/1", "B/bob/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			for _, group := range []string{"A", "B"} {
				for _, user := range []string{"ada", "bob"} {
					f.exec(insertOf, group, user, 1)
				}
			}
			take := func() (ids []string) {
				for _, w := range f.take() {
					ids = append(ids, w.Job.UUID)
					// What was begun is paused as well.
					require.NoError(t, f.PutBack(t.Context(), w.Job, 0, false, "", nil))
				}
				return ids
			}
			require.NoError(t, f.Pause(t.Context(), tc.group, tc.user))
			require.NoError(t, f.Pause(t.Context(), tc.group, tc.user), "twice is once")
			require.ElementsMatch(t, tc.taken, take())
			require.ElementsMatch(t, tc.taken, take())
			list, err := f.Pauses(t.Context())
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, tc.group, list[0].Group)
			require.NoError(t, f.Resume(t.Context(), tc.group, tc.user))
			require.Equal(t, order.Invalid, order.ClassOf(f.Resume(t.Context(), tc.group, tc.user)))
			require.Len(t, take(), 4)
			require.NoError(t, f.Pause(t.Context(), tc.group, tc.user))
			require.ElementsMatch(t, tc.taken, take())
		})
	}
}

func TestCancel_ofAnOrderWithoutADate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
		VALUES ('Demo', 'ada', '151', 'Dataset', 'Import Pending', 'undated', '[]', NULL)`)
	require.NoError(t, f.Cancel(t.Context(), "undated"))
	require.Equal(t, []string{"Import Failed", "Import Pending"},
		f.column(`SELECT stage FROM public.imports ORDER BY "timestamp" DESC`), "as a dashboard sorts")
}
