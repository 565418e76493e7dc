package tracking_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

func open(t *testing.T, url string) *tracking.Store {
	t.Helper()
	s, err := tracking.Open(t.Context(), url, 10)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// fixture is a store on a database of its own.
type fixture struct {
	*tracking.Store
	t *testing.T
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	return fixture{Store: open(t, trackingtest.URL(t)), t: t}
}

func (f fixture) exec(sql string, args ...any) {
	f.t.Helper()
	_, err := f.Pool().Exec(f.t.Context(), sql, args...)
	require.NoError(f.t, err)
}

// column returns the values of a query of one text column.
func (f fixture) column(sql string, args ...any) []string {
	f.t.Helper()
	rows, err := f.Pool().Query(f.t.Context(), sql, args...)
	require.NoError(f.t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(f.t, err)
	return values
}

const insertPending = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
	VALUES ('Demo', 'ada', '151', 'Dataset', 'Import Pending', $1, $2)`

// insert places an order as a client with psql would.
func (f fixture) insert(files string) (id string) {
	f.t.Helper()
	id = uuid.NewString()
	f.exec(insertPending, id, files)
	return id
}

// agent is the River client that the tests' jobs run on.
const agent = "test-agent"

// enqueue stands in for River: each attempt gets a job that runs at once.
func enqueue(ctx context.Context, tx pgx.Tx, due []tracking.Attempt) (jobs []int64, err error) {
	for _, a := range due {
		var id int64
		err := tx.QueryRow(ctx, `INSERT INTO importer.river_job (state, attempt, max_attempts, attempted_at, attempted_by, args, kind)
			VALUES ('running', 1, 5, now(), ARRAY[$1], jsonb_build_object('uuid', $2::text, 'attempt', $3::int), 'order')
			RETURNING id`, agent, a.UUID, a.Number).Scan(&id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, id)
	}
	return jobs, nil
}

// claim takes all due orders and returns the attempts.
func (f fixture) claim() (claimed []tracking.Attempt) {
	f.t.Helper()
	_, err := f.Claim(f.t.Context(), func(ctx context.Context, tx pgx.Tx, due []tracking.Attempt) ([]int64, error) {
		claimed = append(claimed, due...)
		return enqueue(ctx, tx, due)
	})
	require.NoError(f.t, err)
	return claimed
}

// job is the job of an order's current attempt.
func (f fixture) job(id string) tracking.Job {
	f.t.Helper()
	j := tracking.Job{Agent: agent}
	require.NoError(f.t, f.Pool().QueryRow(f.t.Context(), `SELECT j.id, j.attempted_at
		FROM importer.orders o JOIN importer.river_job j ON j.id = o.job_id WHERE o.uuid = $1`, id).Scan(&j.ID, &j.Since))
	return j
}

// begun is an order of one file, whose attempt a worker has begun.
func (f fixture) begun() (id string, a tracking.Attempt) {
	f.t.Helper()
	id = f.insert(`["/data/a.tif"]`)
	a = f.claim()[0]
	_, err := f.Begin(f.t.Context(), f.job(id), a)
	require.NoError(f.t, err)
	return id, a
}

// end ends an attempt that has begun.
func (f fixture) end(a tracking.Attempt, out tracking.Outcome) error {
	job := f.job(a.UUID)
	return f.Finish(f.t.Context(), job, a, out, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE importer.river_job SET state = 'completed', finalized_at = now() WHERE id = $1`, job.ID)
		return err
	})
}

// stages is the order's rows in the order in which clients see them.
func (f fixture) stages(id string) []string {
	f.t.Helper()
	return f.column(`SELECT stage FROM public.imports WHERE uuid = $1 ORDER BY "timestamp", id`, id)
}
