package watcher

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is done to a tree, with restarts and rescans in between, in the end
// each file that is there was offered in the state that it is in.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	base, history := t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		history++
		root := fmt.Sprintf("%s/%d/root", base, history)
		rescan := time.Duration(rapid.SampledFrom([]int{10, 3600_000}).Draw(r, "rescan_ms")) * time.Millisecond
		opts := Options{Rules: []Rule{{Path: root, Settle: 5 * time.Millisecond}}, Rescan: rescan, Log: slog.New(slog.DiscardHandler)}
		var runs []*inbox
		var stop func()
		restart := func() {
			if stop != nil {
				stop()
			}
			runs = append(runs, newInbox())
			stop = startStop(t, runs[len(runs)-1], opts)
		}
		restart()
		defer func() { stop() }()
		path := func(label string) string {
			parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3).Draw(r, label)
			return root + "/" + strings.Join(parts, "/")
		}
		serial := 0
		for range rapid.IntRange(5, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 6).Draw(r, "step") {
			case 0, 1, 2:
				p := path("write")
				serial++
				if os.MkdirAll(filepath.Dir(p), 0o755) == nil {
					_ = os.WriteFile(p+".tif", fmt.Appendf(nil, "%0*d", serial, 0), 0o644)
				}
			case 3:
				_ = os.Rename(path("from"), path("to"))
			case 4:
				_ = os.Rename(path("from")+".tif", path("to")+".tif")
			case 5:
				_ = os.RemoveAll(path("remove"))
			case 6:
				if rapid.IntRange(0, 4).Draw(r, "restart") == 0 {
					restart()
				}
			}
		}
		require.NoError(r, os.MkdirAll(root, 0o755))
		box := runs[len(runs)-1]
		require.NoError(r, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			require.NoError(r, err)
			require.Eventually(r, func() bool {
				for _, drop := range box.all() {
					if drop.Path == p && drop.Size == info.Size() && drop.ModTime.Equal(info.ModTime()) {
						return true
					}
				}
				return false
			}, deadline, time.Millisecond, "%s was not offered with %d bytes: %v", p, info.Size(), box.paths())
			return nil
		}))
	})
}
