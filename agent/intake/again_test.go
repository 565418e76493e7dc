package intake

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// bare is an intake with a database and an empty share.
func bare(t *testing.T, c Config) (in *Intake, dir string) {
	t.Helper()
	store, err := tracking.Open(t.Context(), trackingtest.URL(t), 2)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	dir = t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	c.Rules = []Rule{{Path: dir}}
	return New(c, store, share, nil, slog.New(slog.DiscardHandler)), dir
}

// A manifest that cannot be read is not tried all the time.
func TestControl_ofWhatStillCannotBeReadKeepsItsPauses(t *testing.T) {
	t.Parallel()
	in, dir := bare(t, Config{})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m"), nil, 0o600)) // no folder
	d := watcher.Drop{Path: filepath.Join(dir, "m/order.yml"), Dir: dir}
	require.NoError(t, in.control(t.Context(), d))
	first := in.manifests.byPath[d.Path]
	require.True(t, first.unread)
	first.next, first.pause, first.waiting, first.refused = time.Now().Add(time.Hour), time.Minute, time.Now().Add(-time.Hour), true
	first.record.Version = 3
	require.NoError(t, in.control(t.Context(), d))
	again := in.manifests.byPath[d.Path]
	require.NotSame(t, first, again)
	for _, m := range []*manifest{first, again} {
		m.fault = fs.ErrInvalid // one as good as the other
	}
	require.Equal(t, first, again)
}

func TestGiveBack_keepsWhatIsGoneForAsLongAsNobodyMayNotice(t *testing.T) {
	t.Parallel()
	in, dir := bare(t, Config{FullScan: time.Hour})
	path := filepath.Join(dir, "a.tif")
	m := &manifest{path: filepath.Join(dir, "order.yml"), own: dir, held: map[string]heldDrop{path: {Drop: watcher.Drop{Path: path}}}}
	for range 3 {
		require.NoError(t, in.release(t.Context(), m))
		require.Contains(t, m.held, path)
		require.Len(t, in.manifests.byPath, 1)
	}
	held := m.held[path]
	held.gone = held.gone.Add(-2 * time.Hour)
	m.held[path] = held
	require.NoError(t, in.release(t.Context(), m))
	require.Empty(t, m.held)
	require.Empty(t, in.manifests.byPath)
}

// A folder that was away is back between the look for its manifest and that for
// the manifest's files.
func TestGiveBack_leavesItsFilesToAManifestThatIsBackWithThem(t *testing.T) {
	t.Parallel()
	in, dir := bare(t, Config{FullScan: time.Hour})
	path := filepath.Join(dir, "a.tif")
	for _, m := range []*manifest{{absent: true}, {unseen: true}} {
		m.path, m.own = filepath.Join(dir, "order.yml"), dir
		for _, name := range []string{m.path, path} {
			require.NoError(t, os.WriteFile(name, nil, 0o600))
		}
		info, err := os.Lstat(path)
		require.NoError(t, err)
		m.held = map[string]heldDrop{path: {Drop: watcher.Drop{Path: path, ModTime: info.ModTime()}}}
		in.manifests.put(m)
		require.NoError(t, in.dissolve(t.Context(), m))
		require.Contains(t, m.held, path)
		require.Equal(t, m, in.manifests.byPath[m.path])
	}
}

// Drops that belong into one order have one key, whatever makes its head.
func TestHead_ofOneOrderHasOneKey(t *testing.T) {
	t.Parallel()
	in := &Intake{config: Config{Rules: []Rule{{Order: func(c map[string]string) (order.Order, error) {
		return order.Order{Group: "Demo", Converter: &order.Converter{Container: c["image"], Params: map[string]any{"n": 1, "m": "2"}}}, nil
	}}}}}
	key := func(image string) string {
		head, key, err := in.head(&watcher.Drop{Captures: map[string]string{"image": image}})
		require.NoError(t, err)
		require.Equal(t, image, head.Converter.Container)
		return key
	}
	key1, key2 := key("a"), key("a")
	require.Equal(t, key1, key2)
	require.NotEqual(t, key1, key("b"))
	in.config.Rules[0].Converter = func(path string) *order.Converter { return &order.Converter{Container: path} }
	head, key1, err := in.head(&watcher.Drop{Path: "x"})
	require.NoError(t, err)
	require.Equal(t, "x", head.Converter.Container)
	_, key2, err = in.head(&watcher.Drop{Path: "x"})
	require.NoError(t, err)
	require.Equal(t, key1, key2)
}
