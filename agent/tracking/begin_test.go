package tracking_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// crash has the agent die, as others see it.
func (f fixture) crash() {
	f.t.Helper()
	_, err := f.Rescue(f.t.Context(), []string{agent}, nil)
	require.NoError(f.t, err)
}

func TestBegin_writesTheStageWhenAWorkerBeginsAndOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	works := f.takeOnly(agent)
	require.Equal(t, []attempt{{id, 1}}, attempts(works))
	require.Equal(t, []string{"Import Pending"}, f.stages(id))
	f.begin(works)
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
	require.NoError(t, f.PutBack(t.Context(), works[0].Job, 0, true, "", nil))
	f.begin(f.takeOnly(agent))
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
}

// explained is what EXPLAIN says of a query.
type explained struct {
	Plan plan
	Took float64 `json:"Execution Time"` //nolint:tagliatelle // PostgreSQL's
}

// keptPlan is the plan that the server keeps of a query, whatever its arguments, explained.
func (f fixture) keptPlan(how string, query tracking.Asked) explained {
	f.t.Helper()
	var plans []explained
	require.NoError(f.t, f.Pool().AcquireFunc(f.t.Context(), func(conn *pgxpool.Conn) error {
		var mode string
		if err := conn.QueryRow(f.t.Context(), "SHOW plan_cache_mode").Scan(&mode); err != nil {
			return err
		}
		require.Equal(f.t, "force_generic_plan", mode)
		_, err := conn.Exec(f.t.Context(), "PREPARE kept AS "+query.SQL)
		if err != nil {
			return err
		}
		args := make([]string, len(query.Args))
		for i := range args {
			args[i] = fmt.Sprint("$", i+1)
		}
		list := ""
		if len(args) > 0 {
			list = "(" + strings.Join(args, ", ") + ")"
		}
		// A statement without parameters of its own: PostgreSQL has none within EXECUTE.
		err = conn.QueryRow(f.t.Context(), "EXPLAIN ("+how+", FORMAT JSON) EXECUTE kept "+list,
			append([]any{pgx.QueryExecModeSimpleProtocol}, query.Args...)...).Scan(&plans)
		_, dropped := conn.Exec(f.t.Context(), "DEALLOCATE kept")
		return errors.Join(err, dropped)
	}))
	return plans[0]
}

// Nobody who writes of an order reads what else runs.
func TestBegin_looksAtItsOrderAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state, agent, run)
		SELECT 'order ' || n, n, 1, 'running', $1, 1 FROM generate_series(1, 500) n`, agent)
	for name, query := range tracking.Holding(tracking.Job{UUID: "order 7", Run: 1, Agent: agent}) {
		f.keptPlan("ANALYZE", query).Plan.each(func(p plan) {
			require.Less(t, p.Removed*p.Loops, 100.0, "%s: %s %s", name, p.Type, p.Relation)
		})
	}
}

// However few orders there were when the planner looked: its plans are kept while they grow.
func TestBegin_looksUpItsOrderWhereThereWereFew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, more := range []int{0, 1, 29, 170, 800} {
		f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
			SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Completed', gen_random_uuid()::text, '[]' FROM generate_series(1, $1::int)`, more)
		f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state) SELECT uuid, id, 1, 'completed' FROM public.imports ON CONFLICT DO NOTHING`)
		f.exec(`INSERT INTO public.imports_preprocessing (container, input_file, output_folder) SELECT 'c', '{Files}', '/' FROM generate_series(1, $1::int)`, more)
		f.exec(`VACUUM ANALYZE`)
		for name, query := range tracking.Holding(tracking.Job{UUID: "order 7", Run: 1, Agent: agent}) {
			f.keptPlan("COSTS", query).Plan.each(func(p plan) {
				if p.Type == "Index Scan" || p.Type == "Index Only Scan" || p.Type == "Seq Scan" {
					require.NotEmpty(t, p.Cond, "%s, %d more: %s %s", name, more, p.Type, p.Relation)
				}
			})
		}
	}
}

// Who waited for the order while somebody else took it has lost it, and nobody locks a row.
func TestBegin_afterWhomItWaitedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sql  string
		want error
	}{
		"who rescued it":     {`UPDATE importer.orders SET state = 'queued', due_at = clock_timestamp()`, tracking.ErrNotMine},
		"who only locked it": {`SELECT FROM importer.orders FOR UPDATE`, nil},
		"who wrote of it":    {`UPDATE importer.orders SET mark = 'a session'`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.insert(`["/data/a.tif"]`)
			f.insert(`["/data/b.tif"]`)
			works := f.takeOnly(agent)
			other, err := f.Pool().Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = other.Rollback(t.Context()) }()
			_, err = other.Exec(t.Context(), tc.sql)
			require.NoError(t, err)
			began, ended := make(chan error, 1), make(chan error, 1)
			go func() { began <- f.Begin(t.Context(), works[0]) }()
			go func() { ended <- f.end(tracking.End{Job: works[1].Job, Stage: order.Completed}) }()
			require.Eventually(t, func() bool {
				return f.column(`SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)[0] == "2"
			}, time.Minute, 10*time.Millisecond)
			require.NoError(t, other.Commit(t.Context()))
			require.ErrorIs(t, <-began, tc.want)
			require.ErrorIs(t, <-ended, tc.want)
		})
	}
}

func TestBegin_ofAnOrderThatIsSomebodyElses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	works := f.takeOnly(agent)
	require.NoError(t, f.PutBack(t.Context(), works[0].Job, 0, false, "", nil))
	require.ErrorIs(t, f.Begin(t.Context(), works[0]), tracking.ErrNotMine)
	require.Equal(t, []string{"Import Pending"}, f.stages(id), "no worker ever began")
}

func TestKeepFiles_inTheirNewPlaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	w := f.take()[0]
	files := f.files(w)
	for i := range files {
		files[i].State, files[i].Images = tracking.FileImported, []int64{int64(i + 1)}
	}
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: files}))
	f.exec(insertPending, id, `["/data/c.tif", "/data/b.tif"]`)
	again := f.takeOnly(agent)
	require.Equal(t, []string{"0 /data/a.tif", "1 /data/b.tif"}, f.places())
	f.begin(again)
	files = f.files(again[0])
	require.Equal(t, []string{"1 /data/b.tif"}, f.places())
	require.Equal(t, []tracking.FileState{tracking.FilePending, tracking.FileImported}, []tracking.FileState{files[0].State, files[1].State})
}

// Another program that locks the row of an order's converter delays that order alone.
func TestBegin_isNotHeldUpByALockedConverter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO public.imports_preprocessing (container, input_file, output_folder) VALUES ('c', '{Files}', '/data')`)
	const withConverter = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
		SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', $1, '["/data/a.tif"]', max(id) FROM public.imports_preprocessing`
	f.exec(withConverter, "one")
	f.exec(withConverter, "two")
	other := f.insert(`["/data/b.tif"]`)
	one, two, plain := f.takeAll()
	f.begin([]*tracking.Work{one})
	psql, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = psql.Rollback(t.Context()) }()
	_, err = psql.Exec(t.Context(), `SELECT FROM public.imports_preprocessing FOR UPDATE`)
	require.NoError(t, err)

	require.ErrorIs(t, f.Begin(t.Context(), two), tracking.ErrRowLocked)
	require.ErrorIs(t, f.end(tracking.End{Job: one.Job, Stage: order.Completed}), tracking.ErrRowLocked)
	f.begin([]*tracking.Work{plain})
	require.NoError(t, f.end(tracking.End{Job: plain.Job, Stage: order.Completed}))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed"}, f.stages(other))
	require.Equal(t, []string{"Import Pending"}, f.stages("two"))
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages("one"))

	require.NoError(t, psql.Rollback(t.Context()))
	f.begin([]*tracking.Work{two})
	f.endAll(one, two)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed"}, f.stages("two"))
}

// A command that changes an order gives up soon where it would keep agents from their turn.
func TestCancel_givesUpOnALockedConverter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`INSERT INTO public.imports_preprocessing (container, input_file, output_folder) VALUES ('c', '{Files}', '/data')`)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET preprocessing_id = (SELECT max(id) FROM public.imports_preprocessing)`)
	psql, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = psql.Rollback(t.Context()) }()
	_, err = psql.Exec(t.Context(), `SELECT FROM public.imports_preprocessing FOR UPDATE`)
	require.NoError(t, err)
	require.ErrorContains(t, f.Cancel(t.Context(), id), "keeps its rows locked; try again later")
	require.Equal(t, []string{"Import Pending"}, f.stages(id))
	require.NoError(t, psql.Rollback(t.Context()))
	require.NoError(t, f.Cancel(t.Context(), id))
	require.Equal(t, []string{"Import Pending", "Import Failed"}, f.stages(id))
}

// Rows that were replicated have nothing that checks what they refer to.
func TestTake_anOrderWhoseConverterIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(`ALTER TABLE public.imports DROP CONSTRAINT imports_preprocessing_id_fkey`)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET preprocessing_id = 77`)
	w := f.take()[0]
	require.ErrorContains(t, w.Faulty, "row 77 has been deleted from the imports_preprocessing table")
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: w.Faulty.Error()}))
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Failed"}, f.stages(id))
}

// takeAll takes up three orders.
func (f fixture) takeAll() (one, two, three *tracking.Work) {
	f.t.Helper()
	works := f.takeOnly(agent)
	require.Len(f.t, works, 3)
	return works[0], works[1], works[2]
}

func TestRescue_countsCrashesOfOrdersThatAWorkerWasAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(`["/data/a.tif"]`)
	waited := f.takeOnly(agent)
	f.crash()
	again := f.takeOnly(agent)
	require.Equal(t, waited[0].Job.UUID, again[0].Job.UUID)
	require.Zero(t, again[0].Crashes, "no worker had begun")
	f.begin(again)
	f.crash()
	again = f.take()
	require.Equal(t, 1, again[0].Crashes)
	_, err := f.Rescue(t.Context(), []string{agent}, []string{agent})
	require.NoError(t, err)
	again = f.take()
	require.Equal(t, 1, again[0].Crashes, "it is alive, and only lost its lock")
	file := f.files(again[0])[0]
	file.State = tracking.FileFailed
	require.NoError(t, f.SaveFiles(t.Context(), again[0].Job, []tracking.File{file}))
	f.crash()
	again = f.take()
	require.Equal(t, 2, again[0].Crashes, "it fails again each time")
	file.State = tracking.FileImported
	require.NoError(t, f.SaveFiles(t.Context(), again[0].Job, []tracking.File{file}))
	f.crash()
	require.Equal(t, 1, f.take()[0].Crashes, "it had got on since")
}

// Of those that were beside several crashes an agent takes one at a time.
func TestTake_suspectsOneAtATime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "A", "ada", 3)
	for range 2 {
		require.Len(t, f.take(), 3)
		f.crash()
	}
	f.exec(insertOf, "A", "bob", 2)
	works := f.take()
	require.Len(t, works, 3, "one of them and what is new")
	require.Empty(t, f.take())
	require.Len(t, f.takeAs("another"), 1, "another agent can take one as well")
	f.endAll(works...)
	require.Len(t, f.take(), 1)
}
