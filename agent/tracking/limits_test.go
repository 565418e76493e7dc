package tracking_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// insertTo places an order of ada's for a destination.
const insertTo = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
	VALUES ('A', 'ada', $2, 'Dataset', 'Import Pending', $1, '[]')`

// takeFor takes up and begins what fits with a limit for each destination, as long as
// there is any.
func (f fixture) takeFor(limit int) (works []*tracking.Work) {
	f.t.Helper()
	one := tracking.Agent{Name: agent, PerDestination: limit}
	for more := true; more; {
		f.release(limit)
		waiting, err := f.Waiting(f.t.Context(), one, 100)
		require.NoError(f.t, err)
		var found []*tracking.Work
		found, more, err = f.Take(f.t.Context(), one, waiting.Due, waiting.Shares)
		require.NoError(f.t, err)
		works = append(works, found...)
	}
	f.begin(works)
	return works
}

// release gives room at destinations to what waits for it.
func (f fixture) release(limit int) {
	f.t.Helper()
	for more := true; more; {
		var err error
		more, err = f.Release(f.t.Context(), tracking.Agent{PerDestination: limit})
		require.NoError(f.t, err)
	}
}

func (f fixture) endAll(works ...*tracking.Work) {
	f.t.Helper()
	for _, w := range works {
		require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	}
}

func TestLimit_holdsBackWhatIsTooMuchForADestination(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 10)
	f.exec(insertOf, "A", "bob", 3)
	f.exec(insertTo, "elsewhere", "7")
	works := f.takeFor(2)
	require.ElementsMatch(t, []attempt{{"A/ada/1", 1}, {"A/bob/1", 1}, {"elsewhere", 1}}, attempts(works))
	require.Empty(t, f.takeFor(2))
	require.Equal(t, []string{"held"}, f.column(`SELECT DISTINCT state FROM importer.orders_now WHERE state <> 'running'`))

	f.endAll(works[0])
	require.Len(t, f.takeFor(2), 1, "its end makes room for one")
}

// What is held back gets room by priority, and then each user in turn.
func TestLimit_givesRoomByPriorityAndTurn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 4)
	f.exec(insertOf, "A", "bob", 2)
	f.exec(insertOf, "A", "eve", 1)
	first := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(first))
	require.NoError(t, f.Submit(t.Context(), tracking.NewOrder{Order: order.Order{
		UUID: "urgent", Group: "A", User: "zoe", Priority: 9, Destination: order.Destination{Type: order.Dataset, ID: 151}, Files: []string{"/data/u.tif"},
	}}))
	works := first
	var turns []string
	for len(works) > 0 {
		f.endAll(works...)
		works = f.takeFor(1)
		for _, w := range works {
			turns = append(turns, w.Job.UUID)
		}
	}
	require.Equal(t, []string{"urgent", "A/bob/1", "A/eve/1", "A/ada/2", "A/bob/2", "A/ada/3", "A/ada/4"}, turns)
}

// Who got room is not passed by what somebody else has placed since.
func TestLimit_keepsRoomForWhoGotIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "zoe", 3)
	works := f.takeFor(1)
	var turns []string
	for n := range 4 {
		f.endAll(works...)
		f.exec(insertTo, fmt.Sprintf("A/ada/%d", n), "151")
		works = f.takeFor(1)
		require.Len(t, works, 1)
		turns = append(turns, works[0].Job.UUID)
	}
	require.Equal(t, []string{"A/zoe/2", "A/ada/0", "A/zoe/3", "A/ada/1"}, turns)
}

// Rows of an order may name several destinations; the one that is used counts.
func TestLimit_ofRowsForSeveralDestinationsComesToRest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertTo, "twice", "1")
	f.endAll(f.takeFor(1)...)
	f.exec(insertTo, "twice", "2")
	f.endAll(f.takeFor(1)...)
	f.exec(insertTo, "other", "2")
	works := f.takeFor(1)
	require.Len(t, works, 1)
	f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = 'twice'`)
	require.Empty(t, f.takeFor(1), "and does not try for ever")
	f.endAll(works...)
	require.Equal(t, []attempt{{"twice", 3}}, attempts(f.takeFor(1)))
}

// What has room and waits for a worker counts as if it had one.
func TestLimit_givesNoMoreRoomThanThereIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 9)
	f.exec(insertOf, "A", "bob", 9)
	f.endAll(f.takeFor(3)...)
	f.release(3)
	f.release(3)
	require.Equal(t, []string{"held 12", "pending 3"}, f.column(`SELECT state || ' ' || count(*) FROM importer.orders_now GROUP BY state ORDER BY 1`))
	require.Len(t, f.takeFor(3), 3)
	require.Equal(t, []string{"held 12", "running 3"}, f.column(`SELECT state || ' ' || count(*) FROM importer.orders_now GROUP BY state ORDER BY 1`))
}

// Who is paused takes nobody's room, with or without having got it before.
func TestLimit_givesNoRoomToThePaused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 3)
	f.exec(insertOf, "A", "bob", 2)
	works := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(works))
	f.endAll(works...)
	f.release(1)
	require.NoError(t, f.Pause(t.Context(), "", "ada"))
	works = f.takeFor(1)
	require.Equal(t, []attempt{{"A/bob/1", 1}}, attempts(works))
	f.endAll(works...)
	require.Equal(t, []attempt{{"A/bob/2", 1}}, attempts(f.takeFor(1)))
}

func TestLimit_countsADestinationHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n, id := range []string{"7", "07", " 7 ", "70"} {
		f.exec(insertTo, strconv.Itoa(n), id)
	}
	works := f.takeFor(1)
	require.Equal(t, []attempt{{"0", 1}, {"3", 1}}, attempts(works))
}

// Rows that make no work for now take nobody's room.
func TestLimit_isNotUsedUpByRowsThatMakeNoWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 1)
	running := f.take()
	f.exec(insertPending, running[0].Job.UUID, "[]") // of the order that is carried out
	f.exec(insertOf, "A", "bob", 1)
	f.exec(`DELETE FROM public.imports WHERE uuid = 'A/bob/1'`)
	f.exec(insertOf, "A", "eve", 1)
	require.Equal(t, []attempt{{"A/eve/1", 1}}, attempts(f.takeFor(2)))
}

func TestLimit_makesRoomWhenAnOrderIsPutBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 3)
	works := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(works))
	require.NoError(t, f.PutBack(t.Context(), works[0].Job, 0, true, "", nil))
	again := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(again), "what was begun goes on first")
	require.NoError(t, f.PutBack(t.Context(), again[0].Job, time.Hour, true, "", nil))
	works = f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/2", 1}}, attempts(works))
	f.exec(`UPDATE importer.orders SET due_at = now() WHERE due_at IS NOT NULL`)
	require.Empty(t, f.takeFor(1), "also what is to be tried again has to fit")
	f.endAll(works...)
	require.Len(t, f.takeFor(1), 1)
}

func TestLimit_liftedLetsAllGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 20)
	require.Len(t, f.takeFor(1), 1)
	require.Len(t, f.takeFor(0), 19)
}

func TestLimit_cancelledWhileHeldBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 2)
	works := f.takeFor(1)
	require.NoError(t, f.Cancel(t.Context(), "A/ada/2"))
	f.endAll(works...)
	require.Empty(t, f.takeFor(1))
	require.Equal(t, []string{"Import Pending", "Import Failed"}, f.stages("A/ada/2"))
}

// Agents that resume orders at the same time keep the limit as well.
func TestLimit_isKeptByAgentsThatResumeAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 8)
	for _, w := range f.take() {
		require.NoError(t, f.PutBack(t.Context(), w.Job, 0, true, "", nil))
	}
	for range 8 {
		var agents sync.WaitGroup
		var mu sync.Mutex
		var works []*tracking.Work
		for n := range 4 {
			agents.Go(func() {
				found, _, err := f.Take(t.Context(), tracking.Agent{Name: fmt.Sprintf("agent-%d", n), PerDestination: 1}, 1, nil)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				works = append(works, found...)
			})
		}
		agents.Wait()
		require.Len(t, works, 1)
		f.endAll(works...)
	}
}

func TestRetry_ofAllSurvivesRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	f.endAll(w)
	f.exec(`UPDATE importer.orders SET queued_at = now() - interval '9 days', ended_at = now() - interval '8 days'`)
	require.NoError(t, f.Retry(t.Context(), w.Job.UUID, true))
	_, err := f.Prune(t.Context(), time.Now())
	require.NoError(t, err)
	again := f.take()
	require.Len(t, again, 1)
	require.NotZero(t, again[0].Round)
	require.Equal(t, 2, again[0].Attempt)
}

func TestRetry_refusesAnOrderThatIsCarriedOutWhateverItsRowsSay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	f.exec(`UPDATE public.imports SET stage = 'Import Failed' WHERE uuid = $1 AND stage = 'Import Started'`, w.Job.UUID)
	require.ErrorContains(t, f.Retry(t.Context(), w.Job.UUID, true), "has not ended")
}
