package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// latency renames finished files into place, one at a time.
func (m *machine) latency(ctx context.Context, n int) error {
	return m.onSite(ctx, func(s *site) error {
		// The first is left out: it finds an agent that has only just begun.
		var paths []string
		for i := range n + 1 {
			paths = append(paths, filepath.Join(s.inbox(), fmt.Sprintf("img%06d.tif", i)))
		}
		var times []float64
		err := s.watch(ctx, 30*time.Second, "", func(ctx context.Context, agent process) (err error) {
			if err := agent.watching(ctx, s.inbox()); err != nil {
				return err
			}
			times, err = s.renamed(ctx, paths)
			return err
		})
		if err != nil {
			return err
		}
		if _, err := s.once(ctx, paths); err != nil {
			return err
		}
		commit, err := commitTime(ctx, s.pool)
		if err != nil {
			return err
		}
		times = times[1:]
		slices.Sort(times)
		fmt.Fprintf(os.Stdout, "latency of %d files, rename to the order's commit: p50 %.2f ms (wanted 15), p99 %.2f ms (wanted 100), at most %.2f ms; one commit takes %.2f ms\n",
			n, quantile(times, .5), quantile(times, .99), times[n-1], commit)
		return nil
	})
}

// renamed returns for each file the milliseconds from its getting its name to
// the notification that its order's commit sends.
func (s *site) renamed(ctx context.Context, paths []string) ([]float64, error) {
	placed, err := s.listen(ctx)
	if err != nil {
		return nil, err
	}
	defer placed.close(ctx)
	var times []float64
	for _, path := range paths {
		unfinished := path + ".part"
		if err := os.WriteFile(unfinished, []byte("pixels"), 0o600); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := os.Rename(unfinished, path); err != nil {
			return nil, err
		}
		if err := placed.wait(ctx); err != nil {
			return nil, fmt.Errorf("after %d files: %w", len(times), err)
		}
		times = append(times, milliseconds(time.Since(began)))
		// Without a pause the files would come in step with what the agent does.
		if err := rest(ctx, rand.N(20*time.Millisecond)); err != nil { //nolint:gosec // no secret
			return nil, err
		}
	}
	return times, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile is that of a sorted list.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
