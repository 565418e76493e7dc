package tracking_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestTake_anInsertOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	require.Equal(t, []attempt{{id, 1}}, attempts(f.take()))
	require.Empty(t, f.take())
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
}

// Whatever statement places orders, each pending row is taken up once, in the order of the rows.
func TestTake_howeverTheyArePlaced(t *testing.T) {
	t.Parallel()
	const columns = `(group_name, user_name, destination_id, destination_type, stage, uuid, files)`
	for name, tc := range map[string]struct {
		sql  string
		want []attempt
	}{
		"several rows of several stages": {
			`INSERT INTO public.imports ` + columns + ` VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'b', '[]'),
			 ('Demo', 'ada', '1', 'Dataset', 'Import Completed', 'x', '[]'), ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]')`,
			[]attempt{{"b", 1}, {"a", 1}},
		},
		"none": {`INSERT INTO public.imports ` + columns + ` SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]' WHERE false`, nil},
		"one uuid twice": {
			`INSERT INTO public.imports ` + columns + ` SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]' FROM generate_series(1, 2)`,
			[]attempt{{"a", 1}},
		},
		"within another statement": {
			`WITH placed AS (INSERT INTO public.imports ` + columns + ` VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]') RETURNING id)
			 SELECT count(*) FROM placed`,
			[]attempt{{"a", 1}},
		},
		"or updates": {
			`INSERT INTO public.imports (id, group_name, user_name, destination_id, destination_type, stage, uuid, files)
			 SELECT n, 'Demo', 'ada', '1', 'Dataset', 'Import Pending', chr(96 + n), '[]' FROM generate_series(1, 2) n
			 ON CONFLICT (id) DO UPDATE SET stage = excluded.stage`,
			[]attempt{{"old", 1}, {"b", 1}}, // rows that were updated come first
		},
		"a hostile table of the same name": {
			`CREATE TEMP TABLE placed AS SELECT * FROM public.imports WHERE false;
			 INSERT INTO public.imports ` + columns + ` VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]'); DROP TABLE placed`,
			[]attempt{{"a", 1}},
		},
		"replicated": {
			`SET session_replication_role = replica;
			 INSERT INTO public.imports ` + columns + ` VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'b', '[]'),
			 ('Demo', 'ada', '1', 'Dataset', 'Import Completed', 'x', '[]'), ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'a', '[]');
			 UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = 'x'; RESET session_replication_role`,
			[]attempt{{"b", 1}, {"a", 1}, {"x", 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.exec(`INSERT INTO public.imports (id, group_name, user_name, destination_id, destination_type, stage, uuid, files)
				VALUES (1, 'Demo', 'ada', '1', 'Dataset', 'Import Failed', 'old', '[]')`)
			f.exec(`SELECT setval('public.imports_id_seq', 10)`)
			f.exec(tc.sql)
			require.Equal(t, tc.want, attempts(f.take()))
		})
	}
}

// Who copies rows into the table places them as well.
func TestTake_whatWasCopied(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.Pool().CopyFrom(t.Context(), pgx.Identifier{"public", "imports"},
		[]string{"group_name", "user_name", "destination_id", "destination_type", "stage", "uuid", "files"},
		pgx.CopyFromRows([][]any{
			{"Demo", "ada", "1", "Dataset", "Import Pending", "b", "[]"},
			{"Demo", "ada", "1", "Dataset", "Import Started", "x", "[]"},
			{"Demo", "ada", "1", "Dataset", "Import Pending", "a", "[]"},
		}))
	require.NoError(t, err)
	require.Equal(t, []attempt{{"b", 1}, {"a", 1}}, attempts(f.take()))
}

func TestTake_seesALateCommitOfALowerID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	first := uuid.NewString()
	_, err = slow.Exec(t.Context(), insertPending, first, "[]")
	require.NoError(t, err)
	second := f.insert("[]")
	require.Equal(t, []attempt{{second, 1}}, attempts(f.take()))
	require.NoError(t, slow.Commit(t.Context()))
	require.Equal(t, []attempt{{first, 1}}, attempts(f.take()))
}

func TestTake_theDocumentedRetryAsOneAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n, stage := range []order.Stage{order.Failed, order.Completed} {
		w := f.begun()
		require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: stage, Reason: "no"}), n)
		f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, w.Job.UUID)
		require.Equal(t, []attempt{{w.Job.UUID, 2}}, attempts(f.take()))
		require.Empty(t, f.take())
	}
}

func TestTake_leavesARunningOrderUntilItEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	f.exec(insertPending, w.Job.UUID, `["/data/b.tif"]`)
	f.exec(insertPending, w.Job.UUID, `["/data/c.tif"]`)
	require.Empty(t, f.take())
	waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent}, 10)
	require.NoError(t, err)
	require.Equal(t, &tracking.Waiting{Shares: []tracking.Share{}, Running: []tracking.Run{{Job: w.Job}}}, waiting, "it is not looked at again before it ends")
	require.NoError(t, f.end(tracking.End{Job: w.Job, Stage: order.Completed}))
	again := f.take()
	require.Equal(t, []attempt{{w.Job.UUID, 2}}, attempts(again))
	require.Equal(t, []string{"/data/c.tif"}, again[0].Order.Files, "the newest insert is the order as its client last wrote it")
}

func TestTake_skipsRowsThatAreGoneOrNoLongerPending(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deleted, withdrawn := f.insert("[]"), f.insert("[]")
	f.exec(`DELETE FROM public.imports WHERE uuid = $1`, deleted)
	f.exec(`UPDATE public.imports SET stage = 'Import Failed' WHERE uuid = $1`, withdrawn)
	works, more, err := f.Take(t.Context(), tracking.Agent{Name: agent}, 0, []tracking.Share{{Group: "Demo", User: "ada", Count: 1}})
	require.NoError(t, err)
	require.Empty(t, works)
	require.True(t, more, "there may be others behind it")
	require.Empty(t, f.take())
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM importer.inbox`))
}

// A row that comes while an order is taken up or ended is never lost, and one
// attempt at a time is made.
func TestTake_byAgentsAtOnceMakesEachAttemptOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const orders, rounds = 200, 5
	var mu sync.Mutex
	running, seen := map[string]int{}, map[attempt]int{}
	for n := range orders {
		f.exec(insertPending, fmt.Sprintf("order-%d", n), fmt.Sprintf(`["/data/%d.tif"]`, 0))
	}
	placed := make(chan struct{})
	var clients, agents errgroup.Group
	clients.Go(func() error {
		for round := 1; round < rounds; round++ {
			for n := range orders {
				if _, err := f.Pool().Exec(t.Context(), insertPending, fmt.Sprintf("order-%d", n), fmt.Sprintf(`["/data/%d.tif"]`, round)); err != nil {
					return err
				}
			}
		}
		close(placed)
		return nil
	})
	last := map[string]string{}
	for n := range 4 {
		agents.Go(func() error {
			for {
				done := false
				select {
				case <-placed:
					done = true
				default:
				}
				waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent}, 16)
				if err != nil {
					return err
				}
				works, _, err := f.Take(t.Context(), tracking.Agent{Name: fmt.Sprintf("agent-%d", n)}, 16, waiting.Shares)
				if err != nil {
					return err
				}
				ends := make([]tracking.End, len(works))
				mu.Lock()
				for i, w := range works {
					ends[i] = tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names}
					seen[attempt{w.Job.UUID, w.Attempt}]++
					running[w.Job.UUID]++
					if running[w.Job.UUID] > 1 {
						t.Errorf("two attempts at %s at once", w.Job.UUID)
					}
					last[w.Job.UUID] = w.Order.Files[0]
				}
				mu.Unlock()
				if len(works) == 0 {
					if done {
						return nil
					}
					continue
				}
				mu.Lock()
				for _, w := range works {
					running[w.Job.UUID]--
				}
				mu.Unlock()
				var all errgroup.Group
				for _, end := range ends {
					all.Go(func() error { return f.Finish(t.Context(), end) })
				}
				if err := all.Wait(); err != nil {
					return err
				}
			}
		})
	}
	require.NoError(t, clients.Wait())
	require.NoError(t, agents.Wait())
	for _, w := range f.take() { // what one agent had yet to end when the others saw nothing left
		last[w.Job.UUID] = w.Order.Files[0]
	}
	for a, n := range seen {
		require.Equal(t, 1, n, a)
	}
	require.Len(t, last, orders)
	for id, file := range last {
		require.Equal(t, fmt.Sprintf("/data/%d.tif", rounds-1), file, "%s was not made as its client last wrote it", id)
	}
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM importer.inbox`))
}

func TestTake_datesRowsWithoutATimestamp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert("[]")
	f.exec(`UPDATE public.imports SET "timestamp" = NULL WHERE uuid = $1`, id)
	f.take()
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM public.imports WHERE "timestamp" IS NULL`))
}

func TestTake_waitsForNoClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	f.exec(`UPDATE public.imports SET "timestamp" = NULL WHERE uuid = $1`, id)
	client, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	_, err = client.Exec(t.Context(), `UPDATE public.imports SET description = 'x' WHERE uuid = $1`, id)
	require.NoError(t, err)
	w := f.take()
	require.Len(t, w, 1)
	require.NoError(t, client.Rollback(t.Context()))
	require.NoError(t, f.end(tracking.End{Job: w[0].Job, Stage: order.Completed}))
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM public.imports WHERE "timestamp" IS NULL`), "at the latest at its end")
	stages := f.stages(w[0].Job.UUID)
	require.Equal(t, "Import Completed", stages[len(stages)-1])
}

const insertOf = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
	SELECT $1::text, $2::text, '151', 'Dataset', 'Import Pending', $1 || '/' || $2 || '/' || n, '[]' FROM generate_series(1, $3) n`

func TestWaiting_countsEachShare(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.exec(insertOf, "B", "ada", 3)
	f.exec(insertOf, "A", "bob", 30)
	f.exec(insertOf, "A", "ada", 1)
	f.exec(`INSERT INTO importer.requests (uuid, metadata, priority) VALUES ('C/eve/1', '{}', 5)`)
	f.exec(insertOf, "C", "eve", 2)
	waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: agent}, 10)
	require.NoError(t, err)
	require.Zero(t, waiting.Due)
	require.Equal(t, []tracking.Share{
		{Rank: -5, Group: "C", User: "eve", Count: 1},
		{Group: "A", User: "ada", Count: 1},
		{Group: "A", User: "bob", Count: 10},
		{Group: "B", User: "ada", Count: 3},
		{Group: "C", User: "eve", Count: 1},
	}, waiting.Shares)
	works, more, err := f.Take(t.Context(), tracking.Agent{Name: agent}, 0, []tracking.Share{{Group: "A", User: "bob", Count: 2}, {Group: "B", User: "ada", Count: 1}})
	require.NoError(t, err)
	require.ElementsMatch(t, []attempt{{"A/bob/1", 1}, {"A/bob/2", 1}, {"B/ada/1", 1}}, attempts(works), "in the order of their arrival")
	require.True(t, more)
}

func TestTake_namesOfAnyLength(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := make([]byte, 20_000)
	for i := range long {
		long[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[i*i%36]
	}
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ($1, $1, '1', 'Dataset', 'Import Pending', 'long', '[]')`, string(long))
	require.Equal(t, []attempt{{"long", 1}}, attempts(f.take()))
}

func TestPutBack_waitsForItsTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.begun()
	require.NoError(t, f.PutBack(t.Context(), w.Job, time.Hour, true, "", nil))
	require.Empty(t, f.take())
	f.exec(`UPDATE importer.orders SET due_at = now()`)
	again := f.take()
	require.Len(t, again, 1)
	require.Equal(t, 1, again[0].Tries)
	require.Equal(t, 1, again[0].Attempt)
	require.NotEqual(t, w.Job, again[0].Job)
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(w.Job.UUID), "a second try is no second start")
	require.ErrorIs(t, f.PutBack(t.Context(), w.Job, 0, false, "", nil), tracking.ErrNotMine)
}

func TestClient_needsNoRightsOnOurSchema(t *testing.T) {
	t.Parallel()
	f := fixture{Store: open(t, trackingtest.URL(t)), t: t}
	f.exec(`DO $$ BEGIN CREATE ROLE plugin; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	f.exec(`GRANT INSERT ON public.imports TO plugin`)
	f.exec(`GRANT USAGE ON SEQUENCE public.imports_id_seq TO plugin`)
	id := uuid.NewString()
	require.NoError(t, pgx.BeginFunc(t.Context(), f.Pool(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE plugin`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), insertPending, id, "[]")
		return err
	}))
	require.Equal(t, []attempt{{id, 1}}, attempts(f.take()))
}

func TestWithout_leavesWhatWasNotTakenUp(t *testing.T) {
	t.Parallel()
	share := func(user string, n int) tracking.Share { return tracking.Share{Group: "Demo", User: user, Count: n} }
	w := tracking.Waiting{Due: 3, Shares: []tracking.Share{share("ada", 5), share("bob", 2), share("eve", 4)}}
	w.Without(1, []tracking.Share{share("ada", 2), share("bob", 2)})
	require.Equal(t, tracking.Waiting{Due: 2, Shares: []tracking.Share{share("ada", 3), share("eve", 4)}}, w)
	require.Equal(t, 9, w.Count())
}
