package group_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/group"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDo_answersEachAndGathersWhileBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var lots [][]int
		g := group.New(10, 0, func(_ context.Context, lot []int) ([]int, error) {
			lots = append(lots, lot) // one lot at a time
			<-release
			doubled := make([]int, len(lot))
			for i, n := range lot {
				doubled[i] = 2 * n
			}
			return doubled, nil
		})
		var callers sync.WaitGroup
		call := func(n int) {
			callers.Go(func() {
				got, err := g.Do(t.Context(), n)
				if err != nil || got != 2*n {
					t.Errorf("%d: %d, %v", n, got, err)
				}
			})
		}
		call(0)
		synctest.Wait()
		for n := range 24 {
			call(n + 1)
		}
		synctest.Wait()
		for range 4 {
			release <- struct{}{}
		}
		callers.Wait()
		require.Len(t, lots, 4)
		for i, want := range []int{1, 10, 10, 4} {
			require.Len(t, lots[i], want)
		}
	})
}

var errOdd = errors.New("odd")

func TestDo_failsNobodyForAnothersFault(t *testing.T) {
	t.Parallel()
	g := group.New(100, 0, func(_ context.Context, lot []int) ([]int, error) {
		for _, n := range lot {
			if n%2 == 1 {
				return nil, errOdd
			}
		}
		return lot, nil
	})
	var callers sync.WaitGroup
	for n := range 500 {
		callers.Go(func() {
			got, err := g.Do(t.Context(), n)
			if n%2 == 1 != errors.Is(err, errOdd) || (err == nil && got != n) {
				t.Errorf("%d: %d, %v", n, got, err)
			}
		})
	}
	callers.Wait()
}

func TestDo_survivesACrash(t *testing.T) {
	t.Parallel()
	g := group.New(1, 0, func(_ context.Context, lot []int) ([]int, error) {
		if lot[0] == 13 {
			panic("a defect")
		}
		return lot, nil
	})
	_, err := g.Do(t.Context(), 13)
	require.ErrorContains(t, err, "a defect")
	got, err := g.Do(t.Context(), 14)
	require.NoError(t, err)
	require.Equal(t, 14, got)
}

func TestDo_endsThoughItsCallerWasCancelled(t *testing.T) {
	t.Parallel()
	g := group.New(1, 0, func(ctx context.Context, lot []int) ([]int, error) { return lot, ctx.Err() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Do(ctx, 1)
	require.NoError(t, err)
}

func TestDo_restsBetweenLotsSoThatMoreGather(t *testing.T) {
	t.Parallel()
	lots := 0
	g := group.New(10, 300*time.Millisecond, func(_ context.Context, lot []int) ([]int, error) {
		lots++ // one lot at a time
		return lot, nil
	})
	_, err := g.Do(t.Context(), 0)
	require.NoError(t, err)
	var callers sync.WaitGroup
	for n := range 5 {
		callers.Go(func() {
			if _, err := g.Do(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.Equal(t, 2, lots)
}
