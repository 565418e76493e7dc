package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
)

func TestEngine_stopsAStepThatTakesTooLong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tries := 0
	f.start(engine.Config{ImportTimeout: 20 * time.Millisecond}, backend(func(ctx context.Context, _ importer.Request) ([]importer.Result, error) {
		tries++
		<-ctx.Done()
		return nil, fmt.Errorf("the import was killed: %w", ctx.Err())
	}))
	st := f.await(f.place(f.file("a.tif")), 1)
	require.Equal(t, order.Failed, st.Stage)
	require.Equal(t, "The import was tried 5 times and did not succeed: importing took longer than 20ms.", st.Description)
	require.Equal(t, 5, tries)
}

func TestEngine_carriesOutSoManyOrdersOfADestination(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	now, most := map[int64]int{}, map[int64]int{}
	both := make(chan struct{}) // an order of each destination is under way
	f.start(engine.Config{PerDestination: 2, Workers: 8}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		mu.Lock()
		now[req.Container]++
		most[req.Container] = max(most[req.Container], now[req.Container])
		if len(most) == 2 {
			select {
			case <-both:
			default:
				close(both)
			}
		}
		mu.Unlock()
		<-both
		mu.Lock()
		now[req.Container]--
		mu.Unlock()
		return imported(req), nil
	}))
	var ids []string
	for i := range 12 {
		ids = append(ids, f.place(f.file(fmt.Sprintf("%02d.tif", i))))
	}
	ids = append(ids, f.placeRow("7", "Dataset", fmt.Sprintf("[%q]", f.file("other.tif"))))
	for _, id := range ids {
		f.await(id, 1)
	}
	require.LessOrEqual(t, most[151], 2)
	require.Positive(t, most[7])
}

func TestEngine_redoesAllOfAnOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(engine.Config{}, nil)
	id := f.place(f.file("a.tif"), f.file("b.tif"))
	first := f.await(id, 1)
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	same := f.await(id, 2)
	require.Equal(t, first.Files, same.Files)
	require.NoError(t, f.store.Retry(t.Context(), id, true))
	anew := f.await(id, 3)
	require.Equal(t, order.Completed, anew.Stage)
	for i := range first.Files {
		require.NotEqual(t, first.Files[i].Images, anew.Files[i].Images)
	}
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	require.Equal(t, anew.Files, f.await(id, 4).Files, "the last round counts")
}

// What was taken up ahead goes back when its agent turns out to have no worker for it.
func TestEngine_givesBackWhatItTookUpTooEarly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	blocked := f.file("blocked.tif")
	begun, release := make(chan struct{}), make(chan struct{})
	f.start(engine.Config{Workers: 1}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if req.Files[0].Path == blocked {
			close(begun)
			<-release
		}
		return imported(req), nil
	}))
	quick := f.file("quick.tif")
	var ids []string
	for range 100 {
		ids = append(ids, f.place(quick))
	}
	for _, id := range ids {
		f.await(id, 1)
	}
	last := f.place(blocked)
	var behind []string
	for range 3 {
		behind = append(behind, f.place(quick))
	}
	<-begun
	f.start(engine.Config{Workers: 1}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		return imported(req), nil
	}))
	for _, id := range behind {
		f.await(id, 1)
		require.Equal(t, completed, f.stages(id))
	}
	close(release)
	f.await(last, 1)
}

// What a cancelled order has imported can still be described, though it never was before.
func TestEngine_describesWhatACancelledOrderHasImported(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	described := make(chan error, 1)
	f.start(engine.Config{}, backend(func(ctx context.Context, req importer.Request) ([]importer.Result, error) {
		if err := f.store.Cancel(context.WithoutCancel(ctx), req.UUID); err != nil {
			return nil, err
		}
		<-ctx.Done()
		pairs, err := req.Describe(0)
		if err == nil && len(pairs) == 0 {
			err = errors.New("there is nothing to be said")
		}
		described <- err
		return nil, ctx.Err()
	}))
	id := f.place(f.file("a.tif"))
	require.NoError(t, <-described)
	require.Equal(t, "The order was cancelled.", f.await(id, 1).Description)
}
