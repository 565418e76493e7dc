package watcher

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// Whatever is done to a tree, with restarts, remounts and passes in between, in
// the end each unit that is there was offered in the state that it is in, once:
// and once more only where it was away in between, which the sink sees through.
// What changes deep in a .zarr that was offered may not show.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	base, history := t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		history++
		h := &historian{
			r: r, sink: newLedger(), root: fmt.Sprintf("%s/%d/root", base, history), backing: fmt.Sprintf("%s/%d/backing", base, history),
		}
		require.NoError(r, os.MkdirAll(h.backing, 0o755))
		interval := time.Duration(rapid.SampledFrom([]int{10, 3600_000}).Draw(r, "interval_ms")) * time.Millisecond
		h.opts = Options{
			Rules:    []Rule{{Path: h.root, Settle: 20 * time.Millisecond, ScanInterval: interval}},
			FullScan: 10 * interval, Log: slog.New(slog.DiscardHandler),
		}
		h.mount(t)
		defer h.unmount()
		h.restart(t)
		defer func() { h.stop() }()
		for range rapid.IntRange(5, 40).Draw(r, "steps") {
			h.step(t)
		}
		h.check(t)
	})
}

// historian does things to a tree.
type historian struct {
	r             *rapid.T
	sink          *ledger
	opts          Options
	root, backing string
	serial        int
	arrivals      []arrival
	stop          func()
}

// arrival is something put in place complete when so many drops had been offered.
type arrival struct {
	path   string
	offers int
}

// mount puts the tree in place: by a mount for who may, and by name for others.
func (h *historian) mount(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		require.NoError(t, os.Rename(h.backing, h.root))
		return
	}
	require.NoError(t, os.MkdirAll(h.root, 0o755))
	require.NoError(t, unix.Mount(h.backing, h.root, "", unix.MS_BIND, ""))
}

func (h *historian) unmount() {
	if os.Getuid() != 0 {
		_ = os.Rename(h.root, h.backing)
		return
	}
	_ = unix.Unmount(h.root, unix.MNT_DETACH)
}

func (h *historian) restart(t *testing.T) {
	t.Helper()
	if h.stop != nil {
		h.stop()
	}
	h.stop = startStop(t, h.sink, h.opts)
}

func (h *historian) path(label string) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "z.zarr"}), 1, 3).Draw(h.r, label)
	return h.root + "/" + strings.Join(parts, "/")
}

func (h *historian) write(path string) {
	h.serial++
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = os.WriteFile(path, fmt.Appendf(nil, "%0*d", h.serial, 0), 0o644)
	}
}

func (h *historian) place(by func(from, to string) error, ending string) {
	from, to := h.path("from")+ending, h.path("to")+ending
	if by(from, to) == nil {
		h.arrivals = append(h.arrivals, arrival{to, len(h.sink.all())})
	}
}

func (h *historian) step(t *testing.T) {
	t.Helper()
	switch step := rapid.IntRange(0, 9).Draw(h.r, "step"); step {
	case 0, 1, 2:
		h.write(h.path("write") + ".tif")
	case 3:
		stem := h.path("main")
		if rapid.Bool().Draw(h.r, "companion") {
			h.write(filepath.Dir(stem) + "/_" + filepath.Base(stem) + "_/stack1/frame_t.ets")
		} else {
			h.write(stem + ".vsi")
		}
	case 4:
		h.place(os.Rename, "")
	case 5:
		h.place(os.Rename, ".tif")
	case 6:
		_ = os.RemoveAll(h.path("remove"))
	case 7:
		h.place(os.Link, ".tif")
	case 8, 9:
		if rapid.IntRange(0, 4).Draw(h.r, "rare") != 0 {
			return
		}
		if step == 8 {
			h.restart(t)
			return
		}
		h.unmount()
		h.mount(t)
	}
}

// check waits for all that is there now.
func (h *historian) check(t *testing.T) {
	t.Helper()
	var last Drop
	defer func() {
		if h.r.Failed() { // of what it cannot repeat rapid does not tell
			t.Logf("%d offers of %+v among %+v", h.offers(&last), last, h.sink.all())
		}
	}()
	w, err := New(h.opts, h.sink)
	require.NoError(h.r, err)
	err = filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		unit, ok, err := w.Measure(t.Context(), path)
		if err != nil || !ok || whole(path) != path || (strings.HasSuffix(path, ".vsi") && len(unit.Samples) < 2) || unit.Size == 0 {
			return err
		}
		last = unit
		require.Eventually(h.r, func() bool { return h.offers(&unit) > 0 || h.looksTaken(&unit) }, deadline, time.Millisecond, path)
		require.LessOrEqual(h.r, h.offers(&unit), 1, path)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	require.False(h.r, err != nil && !errors.Is(err, fs.ErrNotExist), "%v", err)
	for _, path := range h.sink.paths() {
		require.Equal(h.r, path, whole(path), "a part of a unit")
	}
}

// offers counts how often the unit was offered in its present state, without it
// having arrived anew in between.
func (h *historian) offers(unit *Drop) (n int) {
	last := 0
	for i, d := range h.sink.all() {
		if d.Path != unit.Path || d.Size != unit.Size || !d.ModTime.Equal(unit.ModTime) || d.Mark != unit.Mark {
			continue
		}
		returned := slices.ContainsFunc(h.arrivals, func(a arrival) bool {
			return a.offers > last && a.offers <= i && below(d.Path, a.path)
		})
		if n == 0 || !returned {
			n++
		}
		last = i
	}
	return n
}

// looksTaken reports whether a .zarr was offered before with the same surface.
func (h *historian) looksTaken(unit *Drop) bool {
	return slices.ContainsFunc(h.sink.all(), func(d Drop) bool { return d.IsDir && d.Path == unit.Path && d.Mark == unit.Mark })
}

// whole is the unit that a path lies in.
func whole(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		if before, _, found := strings.Cut(path, "/"+part+"/"); found && strings.HasSuffix(part, ".zarr") {
			return before + "/" + part
		}
	}
	return path
}
