package watcher

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

// plant makes a tree of empty files.
func plant(b *testing.B, files, folders int) string {
	b.Helper()
	dir := b.TempDir()
	for i := range folders {
		sub := fmt.Sprintf("%s/%d", dir, i)
		require.NoError(b, os.Mkdir(sub, 0o755))
		for j := range files / folders {
			require.NoError(b, os.WriteFile(fmt.Sprintf("%s/%06d.tif", sub, j), nil, 0o644))
		}
	}
	return dir
}

// counter is a sink that only counts.
type counter struct {
	n, want int
	done    chan struct{}
}

func (c *counter) Known(_ context.Context, folders []string) ([][]uint64, error) {
	return make([][]uint64, len(folders)), nil
}

func (c *counter) Settled(_ context.Context, drops []Drop) error {
	if c.n += len(drops); c.n >= c.want {
		close(c.done)
	}
	return nil
}

// BenchmarkCatchUp is the time from the start to the last drop of a tree that
// is there already, the quiet time included.
func BenchmarkCatchUp(b *testing.B) {
	for _, folders := range []int{1, 1000} {
		b.Run(fmt.Sprintf("100000_files_in_%d", folders), func(b *testing.B) {
			const files = 100_000
			dir := plant(b, files, folders)
			for b.Loop() {
				sink := &counter{want: files, done: make(chan struct{})}
				w, err := New(Options{Rules: []Rule{{Path: dir, Settle: time.Millisecond}}}, sink)
				require.NoError(b, err)
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx) }()
				<-sink.done
				cancel()
				require.NoError(b, <-ended)
			}
			b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

// BenchmarkScan is a full pass over a known tree, beside a plain walk of the
// same tree that looks at each file.
func BenchmarkScan(b *testing.B) {
	const files, folders = 100_000, 1000
	dir := plant(b, files, folders)
	w, err := New(Options{Rules: []Rule{{Path: dir}}, Log: slog.New(slog.DiscardHandler)}, &counter{})
	require.NoError(b, err)
	l := newLoop(w, newAnchor(dir), rate.NewLimiter(rate.Inf, 0), 0, 1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l.notify = newNotifier(b.Context(), w.log)
	l.scanAll(b.Context())
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Run("watcher", func(b *testing.B) {
		for b.Loop() {
			l.scanAll(b.Context())
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/files, "B/file")
		b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "files/s")
	})
	b.Run("walkdir", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					_, err = d.Info()
				}
				return err
			}))
		}
	})
	require.NoError(b, l.notify.close())
}

// BenchmarkRename is the time from a rename into place to the sink.
func BenchmarkRename(b *testing.B) {
	dir := b.TempDir()
	box := newInbox()
	w, err := New(Options{Rules: []Rule{{Path: dir, Settle: time.Hour, Control: []string{"fence"}}}}, box)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	require.NoError(b, os.WriteFile(dir+"/fence", nil, 0o644))
	<-box.signal
	for i := 0; b.Loop(); i++ {
		path := fmt.Sprintf("%s/%d.tif", dir, i)
		require.NoError(b, os.WriteFile(path+".tmp", nil, 0o644))
		require.NoError(b, os.Rename(path+".tmp", path))
		<-box.signal
	}
	cancel()
	require.NoError(b, <-ended)
}
