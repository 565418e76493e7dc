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

// A manifest that cannot be read is not tried all the time.
func TestControl_ofWhatStillCannotBeReadKeepsItsPauses(t *testing.T) {
	t.Parallel()
	store, err := tracking.Open(t.Context(), trackingtest.URL(t), 2)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	dir := t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m"), nil, 0o600)) // no folder
	in := New(Config{Rules: []Rule{{Path: dir}}}, store, share, nil, slog.New(slog.DiscardHandler))
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
