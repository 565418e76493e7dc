package tracking_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

const (
	lease  = time.Minute
	forget = 10 * time.Minute
)

var bothStages = []order.Stage{order.Completed, order.Failed}

// tell says who is told, and returns how many deliveries that ended.
func (f fixture) tell(targets ...tracking.Target) int64 {
	f.t.Helper()
	require.NoError(f.t, f.KeepTargets(f.t.Context(), targets, forget))
	n, err := f.Abandon(f.t.Context())
	require.NoError(f.t, err)
	return n
}

// endOne carries an order of a user out.
func (f fixture) endOne(user string, stage order.Stage, reason string) (id string) {
	f.t.Helper()
	id = uuid.NewString()
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', $1, '151', 'Dataset', 'Import Pending', $2, '["/data/a.tif", "/data/b.tif"]')`, user, id)
	w := f.take()[0]
	files := []tracking.File{{Path: "/data/a.tif", State: tracking.FileImported}, {Ordinal: 1, Path: "/data/b.tif", State: tracking.FileFailed, Reason: reason}}
	if stage == order.Completed {
		files[1].State, files[1].Reason = tracking.FileImported, ""
	}
	require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: stage, Reason: reason, Files: files}))
	require.ErrorIs(f.t, f.end(tracking.End{Job: w.Job, Stage: stage, Reason: reason}), tracking.ErrNotMine) // as where the answer was lost
	return id
}

func (f fixture) deliveries() []tracking.Delivery {
	f.t.Helper()
	list, err := f.Deliveries(f.t.Context(), false, 1000)
	require.NoError(f.t, err)
	return list
}

func (f fixture) claim(target string, gathered bool) []tracking.Delivery {
	f.t.Helper()
	lot, err := f.Claim(f.t.Context(), target, gathered, lease)
	require.NoError(f.t, err)
	return lot
}

// pass lets time pass for what is due.
func (f fixture) pass(d time.Duration) {
	f.t.Helper()
	f.exec(`UPDATE importer.deliveries SET due_at = due_at - $1::interval`, d)
	f.exec(`UPDATE importer.notify_targets SET seen_at = seen_at - $1::interval`, d)
}

func TestDeliveries_areDueOnceForEachEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.endOne("ada", order.Failed, "before anybody was told")
	require.Empty(t, f.deliveries())

	f.tell(tracking.Target{Name: "all", Stages: bothStages}, tracking.Target{Name: "failures", Stages: []order.Stage{order.Failed}})
	completed := f.endOne("ada", order.Completed, "")
	failed := f.endOne("bob", order.Failed, "b.tif is empty.")
	cancelled := f.insert(`["/data/c.tif"]`)
	require.NoError(t, f.Cancel(t.Context(), cancelled))
	var told []string
	for _, d := range f.deliveries() {
		require.Equal(t, tracking.DeliveryDue, d.State)
		require.Zero(t, d.Tries)
		told = append(told, strings.Join([]string{d.Target, d.UUID, string(d.Stage), d.User, d.Reason}, " "))
	}
	require.ElementsMatch(t, []string{
		"all " + completed + " Import Completed ada ",
		"all " + failed + " Import Failed bob b.tif is empty.", "failures " + failed + " Import Failed bob b.tif is empty.",
		"all " + cancelled + " Import Failed ada The order was cancelled.", "failures " + cancelled + " Import Failed ada The order was cancelled.",
	}, told)

	one := f.deliveries()[4]
	require.Equal(t, completed, one.UUID)
	require.Equal(t, []any{1, "Demo", "Dataset", "151", int64(2), int64(0)}, []any{one.Attempt, one.Group, one.DestinationType, one.DestinationID, one.FilesImported, one.FilesFailed})
	require.NotNil(t, one.Started)
	require.WithinRange(t, *one.Started, one.Queued, one.Ended)

	first, err := f.Deliveries(t.Context(), true, 1) // of two of one moment
	require.NoError(t, err)
	require.Len(t, first, 1)
	require.Equal(t, []string{cancelled, "all"}, []string{first[0].UUID, first[0].Target})

	// A retry is another attempt, and what was due of the first stays as it was.
	require.NoError(t, f.Retry(t.Context(), failed, false))
	w := f.take()[0]
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	require.Equal(t, []string{"1 Import Failed", "2 Import Completed"},
		f.column(`SELECT attempt || ' ' || stage FROM importer.deliveries WHERE uuid = $1 AND target = 'all' ORDER BY attempt`, failed))
}

func TestDeliveries_areCutToWhatFits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tell(tracking.Target{Name: "all", Stages: bothStages})
	f.endOne(strings.Repeat("ж", 10_000), order.Failed, strings.Repeat("y", 100_000))
	d := f.deliveries()[0]
	require.Equal(t, strings.Repeat("ж", 255), d.User)
	require.Len(t, d.Reason, 2000)
}

func TestClaim_isOfOneAgentUntilItIsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tell(tracking.Target{Name: "hook", Stages: bothStages})
	require.Empty(t, f.claim("hook", false))
	first, second := f.endOne("ada", order.Completed, ""), f.endOne("ada", order.Completed, "")
	lot := f.claim("hook", false)
	require.Len(t, lot, 1)
	require.Equal(t, first, lot[0].UUID)
	require.Equal(t, lot[0].ID, *lot[0].Message)
	require.Equal(t, second, f.claim("hook", false)[0].UUID)
	require.Empty(t, f.claim("hook", false), "both are tried")
	require.Empty(t, f.claim("other", false))

	f.pass(lease)
	again := f.claim("hook", false)
	require.Equal(t, lot[0].ID, again[0].ID, "the first agent died")
	require.Equal(t, 2, again[0].Tries)
	// It had only stood still: what it says now is of no matter.
	require.NoError(t, f.Settle(t.Context(), lot, tracking.DeliveryGivenUp, 0, "late"))
	require.NoError(t, f.Settle(t.Context(), again, tracking.DeliveryDue, time.Hour, "500\x00"))
	open, err := f.Deliveries(t.Context(), true, 10)
	require.NoError(t, err)
	require.Len(t, open, 2)
	require.Equal(t, tracking.DeliveryDue, open[1].State)
	require.Equal(t, "500\uFFFD", open[1].Error)
	f.pass(59 * time.Minute)
	f.claim("hook", false) // the second order's
	require.Empty(t, f.claim("hook", false))
	f.pass(time.Minute)
	again = f.claim("hook", false)
	require.NoError(t, f.Settle(t.Context(), again, tracking.DeliveryMade, 0, ""))
	open, err = f.Deliveries(t.Context(), true, 10)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, second, open[0].UUID)
	require.Equal(t, []string{"delivered 3 t t"},
		f.column(`SELECT state || ' ' || tries || ' ' || (due_at IS NULL)::text::char || ' ' || (settled_at IS NOT NULL)::text::char FROM importer.deliveries WHERE uuid = $1`, first))
}

func TestClaim_gathersWhatOneUserIsTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tell(tracking.Target{Name: "mail", Stages: bothStages, Gather: 5 * time.Minute})
	uuids := func(lot []tracking.Delivery) (list []string) {
		for _, d := range lot {
			require.Equal(t, lot[0].Message, d.Message)
			list = append(list, d.UUID)
		}
		return list
	}
	a1, b1 := f.endOne("ada", order.Completed, ""), f.endOne("bob", order.Completed, "")
	require.Empty(t, f.claim("mail", true), "more may end")
	f.pass(5 * time.Minute)
	a2 := f.endOne("ada", order.Failed, "no")
	first := f.claim("mail", true)
	require.ElementsMatch(t, []string{a1, a2}, uuids(first), "with what ended meanwhile")
	require.Equal(t, []string{b1}, uuids(f.claim("mail", true)))
	require.Empty(t, f.claim("mail", true))

	// What may have arrived is told again as it was; what is new comes with the next.
	a3 := f.endOne("ada", order.Completed, "")
	f.pass(5 * time.Minute)
	again := map[string]int{}
	for range 3 {
		lot := f.claim("mail", true)
		again[strings.Join(uuids(lot), " ")] = lot[0].Tries
		if len(lot) == 2 {
			require.Equal(t, first[0].Message, lot[0].Message)
			require.NoError(t, f.Settle(t.Context(), lot, tracking.DeliveryMade, 0, ""))
		}
	}
	require.Equal(t, map[string]int{strings.Join(uuids(first), " "): 2, b1: 2, a3: 1}, again)
	require.ElementsMatch(t, []string{a1, a2}, f.column(`SELECT uuid FROM importer.deliveries WHERE state = 'delivered'`))
}

func TestKeepTargets_endsWhatIsDueForThoseThatAreGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hook, gone := tracking.Target{Name: "hook", Stages: bothStages}, tracking.Target{Name: "gone", Stages: bothStages}
	f.tell(hook, gone)
	f.endOne("ada", order.Completed, "")
	f.pass(forget - time.Minute)
	f.tell(hook)
	states := func() []string {
		return f.column(`SELECT target || ' ' || state || ' ' || error FROM importer.deliveries ORDER BY target`)
	}
	require.Equal(t, []string{"gone due ", "hook due "}, states(), "another agent may know it")
	f.pass(2 * time.Minute)
	require.EqualValues(t, 1, f.tell(hook))
	require.Equal(t, []string{"gone given_up It is no longer in the settings.", "hook due "}, states())
	f.endOne("ada", order.Completed, "")
	require.Len(t, f.deliveries(), 3)
	f.pass(forget + time.Minute)
	f.tell() // nobody is told any more
	f.endOne("ada", order.Completed, "")
	require.Len(t, f.deliveries(), 3)
	require.Empty(t, f.column(`SELECT target FROM importer.deliveries WHERE state = 'due'`))
}

func TestPrune_forgetsDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tell(tracking.Target{Name: "hook", Stages: bothStages})
	old := f.endOne("ada", order.Completed, "")
	moment := time.Now()
	young := f.endOne("ada", order.Completed, "")
	_, err := f.Prune(t.Context(), moment)
	require.NoError(t, err)
	require.Equal(t, []string{young}, f.column(`SELECT uuid FROM importer.deliveries`), old)
}
