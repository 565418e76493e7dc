package tracking_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// takeFor takes up what fits with a limit for each destination, as long as there is any.
func (f fixture) takeFor(limit int) (works []*tracking.Work) {
	f.t.Helper()
	one := tracking.Agent{Name: agent, PerDestination: limit}
	for more := true; more; {
		waiting, err := f.Waiting(f.t.Context(), one, 100)
		require.NoError(f.t, err)
		var found []*tracking.Work
		found, more, err = f.Take(f.t.Context(), one, waiting.Due, waiting.Shares)
		require.NoError(f.t, err)
		works = append(works, found...)
	}
	return works
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
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('A', 'eve', '7', 'Dataset', 'Import Pending', 'elsewhere', '[]')`)
	works := f.takeFor(2)
	require.ElementsMatch(t, []attempt{{"A/ada/1", 1}, {"A/ada/2", 1}, {"elsewhere", 1}}, attempts(works))
	require.Empty(t, f.takeFor(2))
	require.Equal(t, []string{"held"}, f.column(`SELECT DISTINCT state FROM importer.orders_now WHERE state <> 'running'`))

	f.endAll(works[0])
	require.Len(t, f.takeFor(2), 1, "its end makes room for one")
	// Each who waits gets a turn, not only who came first.
	require.NoError(t, f.Release(t.Context(), tracking.Agent{PerDestination: 3}))
	waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent, PerDestination: 3}, 100)
	require.NoError(t, err)
	require.Equal(t, []tracking.Share{{Group: "A", User: "ada", Count: 1}, {Group: "A", User: "bob", Count: 1}}, waiting.Shares)
}

func TestLimit_makesRoomWhenAnOrderIsPutBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 3)
	works := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(works))
	require.NoError(t, f.PutBack(t.Context(), works[0].Job, 0, true, nil))
	again := f.takeFor(1)
	require.Equal(t, []attempt{{"A/ada/1", 1}}, attempts(again), "what was begun goes on first")
	require.NoError(t, f.PutBack(t.Context(), again[0].Job, time.Hour, true, nil))
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
	require.Empty(t, f.takeFor(0))
	require.NoError(t, f.Release(t.Context(), tracking.Agent{}))
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
		require.NoError(t, f.PutBack(t.Context(), w.Job, 0, true, nil))
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
