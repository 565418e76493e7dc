package watcher

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// tally is a sink that counts what it is given.
type tally struct {
	mu     sync.Mutex
	times  map[string]int
	signal chan struct{}
}

func (s *tally) Known(_ context.Context, folders []string) ([][]uint64, error) {
	return make([][]uint64, len(folders)), nil
}

func (s *tally) Settled(_ context.Context, drops []Drop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range drops {
		s.times[d.Path]++
	}
	select {
	case s.signal <- struct{}{}:
	default:
	}
	return nil
}

// wait returns once n paths were offered.
func (s *tally) wait(t *testing.T, n int) {
	t.Helper()
	late := time.After(4 * deadline)
	for {
		s.mu.Lock()
		got := len(s.times)
		s.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-s.signal:
		case <-late:
			require.FailNowf(t, "drops are missing", "%d of %d came", got, n)
		}
	}
}

// makeEmpty makes a file in one step, however busy the machine is.
func makeEmpty(path string) error { return unix.Mknod(path, unix.S_IFREG|0o644, 0) }

// The kernel drops most of the events of a storm, and not one file is missed or
// offered twice. Not parallel: the limit is one for the whole machine.
func TestStormBeyondTheQueue(t *testing.T) {
	asRoot(t)
	const (
		limit     = "/proc/sys/fs/inotify/max_queued_events"
		producers = 8
		folders   = 50
		files     = 500 // per folder
	)
	dir := mountTmpfs(t, t.TempDir()+"/mnt", "100%")
	for i := range producers / 2 {
		require.NoError(t, os.MkdirAll(fmt.Sprintf("%s/in/%d", dir, i), 0o755))
	}
	old, err := os.ReadFile(limit)
	require.NoError(t, err)
	restore := func() { require.NoError(t, os.WriteFile(limit, old, 0o644)) }
	t.Cleanup(restore)
	require.NoError(t, os.WriteFile(limit, []byte("8"), 0o644), "a container needs /proc/sys to be writable for this test")

	book := &logbook{}
	box := &tally{times: map[string]int{}, signal: make(chan struct{}, 1)}
	opts := rules(dir + "/in")
	opts.Log = book.log()
	start(t, box, opts)
	require.NoError(t, makeEmpty(dir+"/in/first"))
	box.wait(t, 1)
	var g errgroup.Group
	for i := range producers {
		g.Go(func() error {
			for j := range folders * files {
				sub := fmt.Sprintf("%s/in/%d/%d/%d", dir, i, j%folders%7, j%folders)
				if j < folders { // the folders appear under way
					if err := os.MkdirAll(sub, 0o755); err != nil {
						return err
					}
				}
				path := fmt.Sprintf("%s/%d.tif", sub, j)
				made := path
				if j%10 == 0 {
					made += ".tmp"
				}
				if err := makeEmpty(made); err != nil {
					return err
				}
				if made != path {
					if err := os.Rename(made, path); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	const total = producers * folders * files
	box.wait(t, 1+total)
	restore()
	require.Positive(t, book.count("file events were lost"))
	t.Logf("events were lost %d times", book.count("file events were lost"))
	for i := range 2 {
		require.NoError(t, makeEmpty(fmt.Sprintf("%s/in/last%d", dir, i)))
		box.wait(t, 2+total+i)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	require.Len(t, box.times, 3+total)
	for path, times := range box.times {
		require.Equal(t, 1, times, path)
	}
}
