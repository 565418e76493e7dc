package podman_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

// release lets converters that wait go on.
func release(t *testing.T, req preprocess.Request) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(req.Path), "go"), nil, 0o644))
}

// begins collects the first lines of converters that wait: each start has another.
type begins struct {
	mu    sync.Mutex
	lines map[string]bool
}

func (b *begins) watch(first func()) preprocess.Watch {
	return preprocess.Watch{Line: func(_ preprocess.Stream, line string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(line) > 6 && line[:6] == "ready " {
			if b.lines == nil {
				b.lines = map[string]bool{}
			}
			b.lines[line] = true
			first()
		}
	}}
}

var errStopped = errors.New("the agent stops")

// untilReady runs a request until its converter waits, and leaves it.
func untilReady(t *testing.T, client *podman.Client, req preprocess.Request, seen *begins) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := client.Run(ctx, req, seen.watch(func() { cancel(errStopped) }))
	require.ErrorIs(t, err, errStopped)
	require.NotEmpty(t, left(t, shared), "it goes on")
}

func TestRun_goesOnWithARunningContainer(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	started := func() error { release(t, req); return nil }
	watch := seen.watch(func() {})
	watch.Starting = started
	result, err := clientOf(t, shared, nil).Run(t.Context(), req, watch)
	require.NoError(t, err)
	require.Len(t, seen.lines, 1)
	require.Equal(t, "pixels", tree(t, filepath.Dir(result.Items[0].Published))["x.ome.tiff"])
	require.Empty(t, left(t, shared))
}

func TestRun_goesOnWithAContainerThatHasEnded(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	id := left(t, shared)
	release(t, req)
	require.NoError(t, shared.Run("wait", id))
	result, err := client.Run(t.Context(), req, seen.watch(func() {}))
	require.NoError(t, err)
	require.Len(t, seen.lines, 1)
	require.Equal(t, "pixels", tree(t, filepath.Dir(result.Items[0].Published))["x.ome.tiff"])
	require.Empty(t, left(t, shared))
}

// What another request, or a run whose folders are gone, left is not taken for this one's.
func TestRun_startsAnewWhereItCannotGoOn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, req *preprocess.Request){
		"another request": func(_ *testing.T, req *preprocess.Request) { req.Params["more"] = true },
		"no temporary folder": func(t *testing.T, req *preprocess.Request) {
			t.Helper()
			require.NoError(t, os.RemoveAll(req.Temp))
		},
		"no partial folder": func(t *testing.T, req *preprocess.Request) {
			t.Helper()
			require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(req.Path), ".processed")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
			untilReady(t, client, req, seen)
			change(t, &req)
			_, err := client.Run(t.Context(), req, seen.watch(func() { release(t, req) }))
			require.NoError(t, err)
			require.Len(t, seen.lines, 2)
			require.Empty(t, left(t, shared))
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
			require.Equal(t, map[string]string{"x.ome.tiff": "pixels"}, tree(t, filepath.Join(req.Share, "in/.processed")))
		})
	}
}

// Whatever an agent was doing when it was killed, the next one finishes it, and what it
// publishes is there once.
func TestRun_finishesWhatAKilledAgentBegan(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"starting", "ready", "answered", "ended"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			needPodman(t)
			req, seen := newRequest(t, "wait", nil), &begins{}
			options := podman.Options{Socket: shared.Socket, Installation: t.Name()}
			if word != "ready" {
				release(t, req)
			}
			killedAt(t, options, req, word)
			release(t, req)
			client := clientOf(t, shared, func(o *podman.Options) { *o = options })
			result, err := client.Run(t.Context(), req, seen.watch(func() {}))
			require.NoError(t, err)
			require.LessOrEqual(t, len(seen.lines), 1)
			require.Equal(t, filepath.Join(req.Share, "in/.processed/x.ome.tiff"), result.Items[0].Published)
			require.FileExists(t, result.Items[0].Import)
			require.Empty(t, left(t, shared))
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
			require.Equal(t, map[string]string{"x.ome.tiff": "pixels"}, tree(t, filepath.Join(req.Share, "in/.processed")))
		})
	}
}

func TestRun_twoClientsAtOneOrder(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	_, err := client.Run(t.Context(), req, seen.watch(func() {
		_, err := clientOf(t, shared, nil).Run(t.Context(), req, preprocess.Watch{})
		require.ErrorIs(t, err, preprocess.ErrBusy)
		require.ErrorIs(t, preprocess.CleanUp(t.Context(), req), preprocess.ErrBusy)
		release(t, req)
	}))
	require.NoError(t, err)
	require.Len(t, seen.lines, 1)
}

func TestRun_outlivesTheService(t *testing.T) {
	t.Parallel()
	s := own(t)
	client, req, seen := clientOf(t, s, nil), newRequest(t, "wait", nil), &begins{}
	_, err := client.Run(t.Context(), req, seen.watch(func() {
		require.Eventually(t, func() bool {
			out, err := s.Podman("ps", "--quiet").Output()
			return err == nil && len(out) > 0
		}, 10*time.Second, 10*time.Millisecond, "the start of the container is noted")
		s.Kill()
	}))
	require.ErrorIs(t, err, preprocess.ErrUnavailable)
	_, err = client.Run(t.Context(), req, seen.watch(func() {}))
	require.ErrorIs(t, err, preprocess.ErrUnavailable)
	require.ErrorContains(t, err, s.Socket)
	require.NoError(t, s.Start())
	release(t, req)
	result, err := client.Run(t.Context(), req, seen.watch(func() {}))
	require.NoError(t, err)
	require.Len(t, seen.lines, 1)
	require.FileExists(t, result.Items[0].Published)
	require.Empty(t, left(t, s))
}

func TestRemove_ofAnOrder(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	require.NoError(t, client.Remove(t.Context(), "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a02"))
	require.NotEmpty(t, left(t, shared))
	require.NoError(t, client.Remove(t.Context(), req.Order))
	require.Empty(t, left(t, shared))
}

func TestRemoveLeftovers_asksOfEachOrderOnce(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	other := clientOf(t, shared, func(o *podman.Options) { o.Installation = "another" + t.Name() })
	deny := func(context.Context, string) (bool, error) { return false, nil }
	require.NoError(t, other.RemoveLeftovers(t.Context(), deny))
	require.NotEmpty(t, left(t, shared), "another installation's are not touched")
	asked := 0
	require.NoError(t, client.RemoveLeftovers(t.Context(), func(_ context.Context, order string) (bool, error) {
		asked++
		require.Equal(t, req.Order, order)
		return true, nil
	}))
	require.Equal(t, 1, asked)
	require.NotEmpty(t, left(t, shared), "an order that is at work keeps its own")
	require.NoError(t, client.RemoveLeftovers(t.Context(), deny))
	require.Empty(t, left(t, shared))
}

func TestRun_timeGoesOnWithoutAnAgent(t *testing.T) {
	t.Parallel()
	change := func(o *podman.Options) { o.Limits = podman.Limits{Time: 4 * time.Second} }
	client, req, seen := newClient(t, change), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	began := time.Now()
	_, err := client.Run(t.Context(), req, preprocess.Watch{})
	var fault *preprocess.Error
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "ran for longer than 4s")
	require.Less(t, time.Since(began), 20*time.Second)
}

func TestRun_panicsWhereWhoWatchesDoes(t *testing.T) {
	t.Parallel()
	client, req := newClient(t, nil), newRequest(t, "wait", nil)
	func() {
		defer func() { require.Contains(t, recover(), "cannot bear it") }()
		_, err := client.Run(t.Context(), req, preprocess.Watch{Line: func(preprocess.Stream, string) {
			release(t, req)
			panic("cannot bear it")
		}})
		require.NoError(t, err)
	}()
	result, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err, "it goes on")
	require.FileExists(t, result.Items[0].Published)
}
