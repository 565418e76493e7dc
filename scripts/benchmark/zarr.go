package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// zarr copies one image of n chunks into the watched folder.
func (m *machine) zarr(ctx context.Context, n int, settle time.Duration) error {
	return m.onSite(ctx, func(s *site) error {
		image := filepath.Join(s.dir, "image.ome.zarr")
		if err := writeZarr(ctx, image, n); err != nil {
			return err
		}
		dropped := filepath.Join(s.inbox(), filepath.Base(image))
		var copying, watching time.Duration
		most := 0
		err := s.watch(ctx, settle, "", func(ctx context.Context, agent process) error {
			if err := agent.watching(ctx, s.inbox()); err != nil {
				return err
			}
			before, err := agent.cpu()
			if err != nil {
				return err
			}
			cp := exec.CommandContext(ctx, "cp", "-r", image, dropped) //nolint:gosec // our own folders
			most, err = mostWatches(agent, func() error {
				if err := cp.Run(); err != nil {
					return fmt.Errorf("running cp: %w", err)
				}
				copied := time.Now()
				return until(ctx, 200*time.Millisecond, settle+10*time.Minute, func() (bool, error) {
					taken, err := s.taken(ctx)
					// The last write was a little before cp ended.
					if taken > 0 && time.Since(copied) < settle/2 {
						err = errors.New("the image was taken before it had settled")
					}
					return taken > 0, err
				})
			})
			if err != nil {
				return err
			}
			copying = cp.ProcessState.UserTime() + cp.ProcessState.SystemTime()
			after, err := agent.cpu()
			watching = after - before
			return err
		})
		if err != nil {
			return err
		}
		if _, err := s.once(ctx, []string{dropped}); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "zarr of %d chunks: one drop, one order; processor time of the agent %.2f s, of cp %.2f s, ratio %.3f (wanted 0.10); at most %d watches (wanted 10)\n",
			n, watching.Seconds(), copying.Seconds(), watching.Seconds()/copying.Seconds(), most)
		return nil
	})
}

// mostWatches looks each second how many watches a process holds during do.
func mostWatches(p process, do func() error) (most int, err error) {
	done := make(chan error, 1)
	go func() { done <- do() }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var unseen error
	for {
		select {
		case err := <-done:
			return most, errors.Join(err, unseen)
		case <-ticker.C:
		}
		watches, err := p.watches()
		most, unseen = max(most, len(watches)), errors.Join(unseen, err)
	}
}

// writeZarr writes an OME-Zarr image, version 0.4, of n chunks of 64 bytes.
func writeZarr(ctx context.Context, dir string, n int) error {
	metadata := map[string]string{
		".zgroup": `{"zarr_format": 2}`,
		".zattrs": `{"multiscales": [{"version": "0.4", "name": "bench",
 "axes": [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}],
 "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]}]}`,
		"0/.zarray": fmt.Sprintf(`{"zarr_format": 2, "shape": [%d, 800, 800], "chunks": [1, 8, 8], "dtype": "|u1",
 "compressor": null, "fill_value": 0, "filters": null, "order": "C", "dimension_separator": "/"}`, (n+9999)/10000),
	}
	if err := os.MkdirAll(filepath.Join(dir, "0"), 0o750); err != nil {
		return err
	}
	for name, text := range metadata {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	chunk := func(i int) string {
		return filepath.Join(dir, "0", strconv.Itoa(i/10000), strconv.Itoa(i/100%100), strconv.Itoa(i%100))
	}
	return write(ctx, n, chunk, bytes.Repeat([]byte{7}, 64))
}
