package tracking_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// submit places an order of a priority.
func (f fixture) submit(priority int) (id string) {
	f.t.Helper()
	o := newOrder("/data/a.tif")
	o.Priority = priority
	require.NoError(f.t, f.Submit(f.t.Context(), o))
	return o.UUID
}

// first takes up the order whose turn it is.
func (f fixture) first() tracking.Job {
	f.t.Helper()
	waiting, err := f.Waiting(f.t.Context(), tracking.Agent{Name: agent}, 1)
	require.NoError(f.t, err)
	works, _, err := f.Take(f.t.Context(), tracking.Agent{Name: agent}, 0, waiting.Shares[:1])
	require.NoError(f.t, err)
	require.Len(f.t, works, 1)
	return works[0].Job
}

func (f fixture) priority(id string) int {
	f.t.Helper()
	st, err := f.Show(f.t.Context(), id)
	require.NoError(f.t, err)
	return st.Priority
}

func TestPriority_higherIsTakenFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	last, usual, soon, now := f.submit(-100), f.submit(0), f.submit(1), f.submit(100)
	list, err := f.Recent(t.Context(), 10)
	require.NoError(t, err)
	shown := map[string]int{}
	for _, st := range list {
		shown[st.UUID] = st.Priority
	}
	require.Equal(t, map[string]int{last: -100, usual: 0, soon: 1, now: 100}, shown)
	for _, id := range []string{now, soon, usual, last} {
		require.Equal(t, id, f.first().UUID)
	}
}

func TestPriority_isKeptByARetry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.submit(7)
	job := f.first()
	for name, retry := range map[string]func(){
		"asked for": func() { require.NoError(t, f.Retry(t.Context(), id, false)) },
		"by SQL":    func() { f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, id) },
	} {
		require.NoError(t, f.end(tracking.End{Job: job, Stage: order.Failed, Reason: "no"}), name)
		f.insert(`["/data/b.tif"]`)
		retry()
		job = f.first()
		require.Equal(t, id, job.UUID, name)
		require.Equal(t, 7, f.priority(id), name)
	}
}

// What is placed anew under a uuid is as urgent as it says then.
func TestPriority_isThatOfTheNewestRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := newOrder("/data/a.tif")
	for _, tc := range []struct {
		priority int
		metadata map[string]string
	}{{5, nil}, {-5, map[string]string{"stain": "DAPI"}}, {0, map[string]string{"stain": "DAPI"}}, {3, nil}, {0, nil}} {
		o.Priority, o.Metadata = tc.priority, tc.metadata
		require.NoError(t, f.Submit(t.Context(), o))
		waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent}, 1)
		require.NoError(t, err)
		require.Equal(t, -tc.priority, waiting.Shares[0].Rank)
		require.Equal(t, tc.priority, f.priority(o.UUID))
		require.NoError(t, f.end(tracking.End{Job: f.first(), Stage: order.Completed}))
	}
}

// As the README tells clients that have a login of their own.
func TestPriority_isSetByAClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`DO $$ BEGIN CREATE ROLE scheduler; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	f.exec(`GRANT INSERT ON public.imports TO scheduler`)
	f.exec(`GRANT USAGE ON SEQUENCE public.imports_id_seq TO scheduler`)
	f.exec(`GRANT USAGE ON SCHEMA importer TO scheduler`)
	f.exec(`GRANT INSERT ON importer.requests TO scheduler`)
	place := func(id string, priority int) error {
		return pgx.BeginFunc(t.Context(), f.Pool(), func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE scheduler`); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `INSERT INTO importer.requests (uuid, priority) VALUES ($1, $2)`, id, priority); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), insertPending, id, `["/data/a.tif"]`)
			return err
		})
	}
	f.insert(`["/data/b.tif"]`)
	id := uuid.NewString()
	require.NoError(t, place(id, 10))
	require.Error(t, place(uuid.NewString(), 101))
	require.Equal(t, id, f.first().UUID)
	require.Equal(t, 10, f.priority(id))
}
