package tracking_test

import (
	"context"
	"iter"
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

// user is the repository's id of a user.
func (f fixture) user(name string) int64 {
	f.t.Helper()
	id, err := f.Catalog().User(f.t.Context(), name)
	require.NoError(f.t, err)
	return id
}

// agent is who takes the tests' orders up.
const agent = "test-agent"

// takeAs has an agent take up all that waits, and begin with it.
func (f fixture) takeAs(agent string) []*tracking.Work {
	f.t.Helper()
	works := f.takeOnly(agent)
	f.begin(works)
	return works
}

// takeOnly takes orders up without a worker that begins with them.
func (f fixture) takeOnly(agent string) []*tracking.Work {
	f.t.Helper()
	const many = 100_000
	waiting, err := f.Waiting(f.t.Context(), tracking.Agent{Name: agent}, many)
	require.NoError(f.t, err)
	works, _, err := f.Take(f.t.Context(), tracking.Agent{Name: agent}, waiting.Due, waiting.Shares)
	require.NoError(f.t, err)
	return works
}

// begin has workers begin with orders.
func (f fixture) begin(works []*tracking.Work) {
	f.t.Helper()
	for _, w := range works {
		require.NoError(f.t, f.Begin(f.t.Context(), w))
	}
}

func (f fixture) take() []*tracking.Work {
	f.t.Helper()
	return f.takeAs(agent)
}

// attempt is what was taken up, as far as tests compare it.
type attempt struct {
	uuid   string
	number int
}

func attempts(works []*tracking.Work) (list []attempt) {
	for _, w := range works {
		list = append(list, attempt{w.Job.UUID, w.Attempt})
	}
	return list
}

// begun is an order of one file that was taken up.
func (f fixture) begun() *tracking.Work {
	f.t.Helper()
	f.insert(`["/data/a.tif"]`)
	works := f.take()
	require.Len(f.t, works, 1)
	return works[0]
}

func (f fixture) end(e tracking.End) error { return f.Finish(f.t.Context(), e) }

// stages is the order's rows in the order in which clients see them.
func (f fixture) stages(id string) []string {
	f.t.Helper()
	return f.column(`SELECT stage FROM public.imports WHERE uuid = $1 ORDER BY "timestamp", id`, id)
}

// paths are an order's files as a worker learns them.
func (f fixture) paths(w *tracking.Work) (paths []string) {
	f.t.Helper()
	require.NoError(f.t, f.EachPath(f.t.Context(), w, func(path string) error {
		paths = append(paths, path)
		return nil
	}))
	return paths
}

// listed are paths as a worker has listed them.
func listed(paths []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, path := range paths {
			if !yield(path, nil) {
				return
			}
		}
	}
}

// files are an order's files, with what was kept of earlier attempts.
func (f fixture) files(w *tracking.Work) []tracking.File {
	f.t.Helper()
	paths := f.paths(w)
	kept, err := f.KeepFiles(f.t.Context(), w, listed(paths))
	require.NoError(f.t, err)
	if kept == nil {
		kept = make([]bool, len(paths))
	}
	known, err := f.Files(f.t.Context(), w.Job.UUID)
	require.NoError(f.t, err)
	files := make([]tracking.File, len(paths))
	for i, path := range paths {
		if files[i] = (tracking.File{Ordinal: i, Path: path, State: tracking.FilePending, Target: w.Target}); kept[i] {
			files[i], known = known[0], known[1:]
		}
	}
	return files
}
