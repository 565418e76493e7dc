package watcher

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is only reached by tests that fail.
const deadline = 30 * time.Second

// inbox is a sink that keeps what it is given and signals each batch.
type inbox struct {
	mu     sync.Mutex
	drops  []Drop
	sizes  []int // of batches
	fail   func() error
	signal chan struct{}
}

func newInbox() *inbox { return &inbox{signal: make(chan struct{}, 1)} }

func (s *inbox) Known(_ context.Context, folders []string) ([][]uint64, error) {
	return make([][]uint64, len(folders)), nil
}

func (s *inbox) Settled(_ context.Context, drops []Drop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	s.drops = append(s.drops, drops...)
	s.sizes = append(s.sizes, len(drops))
	select {
	case s.signal <- struct{}{}:
	default:
	}
	return nil
}

func (s *inbox) all() []Drop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Drop(nil), s.drops...)
}

// paths returns what was offered, in order.
func (s *inbox) paths() []string {
	var paths []string
	for _, d := range s.all() {
		paths = append(paths, d.Path)
	}
	return paths
}

// wait returns once n drops were offered.
func (s *inbox) wait(t *testing.T, n int) []Drop {
	t.Helper()
	late := time.After(deadline)
	for {
		if all := s.all(); len(all) >= n {
			return all
		}
		select {
		case <-s.signal:
		case <-late:
			require.FailNowf(t, "drops are missing", "%d of %d came: %.40q", len(s.all()), n, s.paths())
		}
	}
}

// waitFor returns the drop of a path once it was offered.
func (s *inbox) waitFor(t *testing.T, path string) Drop {
	t.Helper()
	late := time.After(deadline)
	for {
		for _, d := range s.all() {
			if d.Path == path {
				return d
			}
		}
		select {
		case <-s.signal:
		case <-late:
			require.FailNowf(t, "a drop is missing", "%q is not in %.40q", path, s.paths())
		}
	}
}

// start runs a watcher until the test ends and returns once it has scanned.
func start(t *testing.T, sink Sink, opts Options) {
	t.Helper()
	stop := startStop(t, sink, opts)
	t.Cleanup(stop)
}

func startStop(t *testing.T, sink Sink, opts Options) (stop func()) {
	t.Helper()
	if opts.Log == nil {
		opts.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w, err := New(opts, sink)
	require.NoError(t, err)
	return run(t, w)
}

// run has a watcher run until it is stopped.
func run(t *testing.T, w *Watcher) (stop func()) {
	t.Helper()
	w.rootPoll = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(deadline):
			require.FailNow(t, "the watcher did not stop")
		}
	})
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// fence makes sure that everything the watcher was going to offer before now
// was offered: it drops one more file and waits for it.
func fence(t *testing.T, s *inbox, path string) {
	t.Helper()
	write(t, path, "fence")
	s.waitFor(t, path)
}

var errSink = errors.New("the database is away")
