package tracking_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestClaim_takesAnInsertOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert(`["/data/a.tif"]`)
	require.Equal(t, []tracking.Attempt{{UUID: id, Number: 1}}, f.claim())
	require.Empty(t, f.claim())
}

func TestClaim_seesALateCommitOfALowerID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow, err := f.Pool().Begin(t.Context())
	require.NoError(t, err)
	first := uuid.NewString()
	_, err = slow.Exec(t.Context(), insertPending, first, "[]")
	require.NoError(t, err)
	second := f.insert("[]")
	require.Equal(t, []tracking.Attempt{{UUID: second, Number: 1}}, f.claim())
	require.NoError(t, slow.Commit(t.Context()))
	require.Equal(t, []tracking.Attempt{{UUID: first, Number: 1}}, f.claim())
}

func TestClaim_takesTheDocumentedRetryAsOneAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, a := f.begun()
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Failed, Reason: "no"}))
	f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, id)
	require.Equal(t, []tracking.Attempt{{UUID: id, Number: 2}}, f.claim())
	require.Empty(t, f.claim())
}

func TestClaim_leavesARunningOrderUntilItEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, a := f.begun()
	f.exec(insertPending, id, `["/data/b.tif"]`)
	require.Empty(t, f.claim())
	require.NoError(t, f.end(a, tracking.Outcome{Stage: order.Completed}))
	again := f.claim()
	require.Equal(t, []tracking.Attempt{{UUID: id, Number: 2}}, again)
	work, err := f.Begin(t.Context(), f.job(id), again[0])
	require.NoError(t, err)
	require.Equal(t, []string{"/data/b.tif"}, work.Order.Files, "the newest insert is the order as its client last wrote it")
}

func TestClaim_skipsRowsThatAreGoneOrNoLongerPending(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deleted, withdrawn := f.insert("[]"), f.insert("[]")
	f.exec(`DELETE FROM public.imports WHERE uuid = $1`, deleted)
	f.exec(`UPDATE public.imports SET stage = 'Import Failed' WHERE uuid = $1`, withdrawn)
	require.Empty(t, f.claim())
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM importer.inbox`))
}

func TestClaim_byAgentsAtOnceTakesEachOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const orders = 3000
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', 'order-' || n, '[]' FROM generate_series(1, $1) n`, orders)
	var mu sync.Mutex
	seen := map[tracking.Attempt]int{}
	var agents errgroup.Group
	for range 4 {
		agents.Go(func() error {
			for more := true; more; {
				var err error
				more, err = f.Claim(t.Context(), func(ctx context.Context, tx pgx.Tx, due []tracking.Attempt) ([]int64, error) {
					mu.Lock()
					for _, a := range due {
						seen[a]++
					}
					mu.Unlock()
					return enqueue(ctx, tx, due)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, agents.Wait())
	require.Len(t, seen, orders)
	for a, n := range seen {
		require.Equal(t, 1, n, a)
	}
}

func TestClaim_leavesNothingWhenTheJobCannotBeMade(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert("[]")
	_, err := f.Claim(t.Context(), func(context.Context, pgx.Tx, []tracking.Attempt) ([]int64, error) {
		return nil, errors.New("no queue")
	})
	require.ErrorContains(t, err, "no queue")
	require.Equal(t, []tracking.Attempt{{UUID: id, Number: 1}}, f.claim())
}

func TestClaim_datesRowsWithoutATimestamp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.insert("[]")
	f.exec(`UPDATE public.imports SET "timestamp" = NULL WHERE uuid = $1`, id)
	a := f.claim()[0]
	_, err := f.Begin(t.Context(), f.job(id), a)
	require.NoError(t, err)
	require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
	require.Equal(t, []string{"0"}, f.column(`SELECT count(*)::text FROM public.imports WHERE "timestamp" IS NULL`))
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
	require.Equal(t, []tracking.Attempt{{UUID: id, Number: 1}}, f.claim())
}
