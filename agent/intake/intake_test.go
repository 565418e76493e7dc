package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

// containers numbers whatever it is asked for.
type containers struct{}

func (containers) Container(_ context.Context, c importer.Container) (int64, error) {
	return int64(100 + len(c.Name)), nil
}

// Rules of the fixture: an inbox, a folder for manifests, legacy files.
const (
	inbox = iota
	manifests
	legacy
)

type fixture struct {
	t     *testing.T
	dir   string
	store *tracking.Store
	share *importer.Share
	*intake.Intake
	config intake.Config
	stop   func() // of run
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, err := tracking.Open(t.Context(), trackingtest.URL(t), 6)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	f := &fixture{t: t, dir: t.TempDir(), store: store}
	f.share, err = importer.OpenShare(f.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.share.Close()) })
	head := func(c map[string]string) (order.Order, error) {
		return order.Order{Group: c["group"], User: c["user"], Destination: order.Destination{Type: order.Dataset, Name: "inbox"}}, nil
	}
	f.config = intake.Config{
		Rules:           []intake.Rule{{Order: head}, {}, {Legacy: true}},
		ManifestTimeout: time.Hour, PathMap: map[string]string{"/divg": f.dir},
	}
	f.restart()
	return f
}

// restart replaces the intake by one that knows only what the database does.
func (f *fixture) restart() {
	if f.stop != nil {
		f.stop()
	}
	f.Intake = intake.New(f.config, f.store, f.share, containers{}, slog.New(slog.NewTextHandler(f.t.Output(), nil)))
}

// run lets the intake look after waiting manifests until the test ends.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	done := make(chan error, 1)
	running := f.Intake
	go func() { done <- running.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(f.t, <-done)
	})
	f.t.Cleanup(f.stop)
}

func (f *fixture) write(content, name string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	require.NoError(f.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(f.t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// drop is what the watcher would hand over for a path.
func (f *fixture) drop(rule int, control bool, path string) watcher.Drop {
	f.t.Helper()
	info, err := os.Stat(path)
	require.NoError(f.t, err)
	return watcher.Drop{
		Rule: rule, Path: path, Dir: filepath.Dir(path), Control: control, Captures: map[string]string{"group": "Demo", "user": "ada"},
		Size: info.Size(), ModTime: info.ModTime(), IsDir: info.IsDir(),
	}
}

func (f *fixture) settle(drops ...watcher.Drop) {
	f.t.Helper()
	require.NoError(f.t, f.Settled(f.t.Context(), drops))
}

// orders is every order placed, oldest first, with its files' base names.
func (f *fixture) orders() (orders []string) {
	f.t.Helper()
	rows, err := f.store.Pool().Query(f.t.Context(), `SELECT files, destination_id FROM public.imports ORDER BY id`)
	require.NoError(f.t, err)
	defer rows.Close()
	for rows.Next() {
		var files, destination string
		require.NoError(f.t, rows.Scan(&files, &destination))
		paths, err := order.DecodePaths(files)
		require.NoError(f.t, err)
		for i := range paths {
			paths[i] = filepath.Base(paths[i])
		}
		orders = append(orders, fmt.Sprintf("%s: %s", destination, strings.Join(paths, " ")))
	}
	require.NoError(f.t, rows.Err())
	return orders
}

func (f *fixture) record(path string) tracking.Drop {
	f.t.Helper()
	found, err := f.store.Drops(f.t.Context(), []string{path})
	require.NoError(f.t, err)
	return found[path]
}

func (f *fixture) eventually(ok func() bool) {
	f.t.Helper()
	require.Eventually(f.t, ok, 20*time.Second, 10*time.Millisecond)
}

const manifest = "group: Demo\nuser: ada\ndestination: {type: Dataset, id: 151}\nfiles: [%s]\n"

func TestData_settledTogetherIsOneOrderOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.write("x", "in/a.tif"), f.write("x", "in/b.tif")
	drops := []watcher.Drop{f.drop(inbox, false, b), f.drop(inbox, false, a)}
	f.settle(drops...)
	require.Equal(t, []string{"105: a.tif b.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(a).State)
	f.settle(drops...)
	f.restart()
	f.settle(drops...)
	require.Len(t, f.orders(), 1)
	f.write("changed", "in/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, []string{"105: a.tif b.tif", "105: a.tif"}, f.orders())
}

func TestData_thatCannotBeImportedIsRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, want := range map[string]string{"empty.tif": "empty", "bad\xff.tif": "UTF-8"} {
		content := "x"
		if name == "empty.tif" {
			content = ""
		}
		path := f.write(content, name)
		f.settle(f.drop(inbox, false, path))
		require.Equal(t, tracking.DropRefused, f.record(path).State)
		require.Contains(t, f.record(path).Reason, want)
	}
	require.Empty(t, f.orders())
}

func TestManifest_isOneOrderHoweverOftenItIsSeen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	file := f.write("x", "m/a.tif")
	path := f.write(fmt.Sprintf(manifest, `"*.tif"`), "m/order.yml")
	for range 3 {
		f.settle(f.drop(manifests, true, path), f.drop(inbox, false, file))
		f.restart()
	}
	require.Equal(t, []string{"151: a.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(path).State)
	require.Equal(t, f.record(path).UUID, f.record(file).UUID)
}

func TestManifest_waitsForItsFilesAndHoldsThem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.run()
	path := f.write(fmt.Sprintf(manifest, `a.tif, b.tif`), "m/order.yml")
	f.settle(f.drop(manifests, true, path))
	a := f.write("x", "m/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	require.Empty(t, f.orders())
	f.restart() // a restart knows of both and of their wait
	f.run()
	f.settle(f.drop(manifests, true, path), f.drop(inbox, false, a))
	f.write("x", "m/b.tif")
	f.eventually(func() bool { return len(f.orders()) == 1 })
	require.Equal(t, []string{"151: a.tif b.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(a).State)
}

func TestManifest_editedIsAnotherAttemptAtItsOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "m/a.tif")
	f.write("x", "m/b.tif")
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "m/order.yml")
	f.settle(f.drop(manifests, true, path))
	first := f.record(path).UUID
	f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "m/order.yml")
	f.settle(f.drop(manifests, true, path))
	require.Equal(t, []string{"151: a.tif", "151: a.tif b.tif"}, f.orders())
	require.Equal(t, first, f.record(path).UUID)
}

func TestManifest_refusals(t *testing.T) {
	t.Parallel()
	const id = "afe38fe0-ea2b-43e6-949d-364827c66230"
	for name, tc := range map[string]struct{ text, want string }{
		"another user":  {strings.Replace(fmt.Sprintf(manifest, "a.tif"), "ada", "eve", 1), "eve"},
		"another group": {strings.Replace(fmt.Sprintf(manifest, "a.tif"), "Demo", "Other", 1), "Other"},
		"outside":       {fmt.Sprintf(manifest, "/etc/passwd"), "outside"},
		"dots":          {fmt.Sprintf(manifest, "../a.tif"), ".."},
		"a link out":    {fmt.Sprintf(manifest, "leak.tif"), "leads outside"},
		"a taken uuid":  {fmt.Sprintf(manifest, "a.tif") + "uuid: " + id + "\n", "belongs to another order"},
		"no YAML":       {"a: b: c", "order.yml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			require.NoError(t, f.store.Submit(t.Context(), tracking.NewOrder{Order: order.Order{
				UUID: id, Group: "x", User: "x", Files: []string{"/x"}, Destination: order.Destination{Type: order.Dataset, ID: 1},
			}}))
			f.write("x", "m/a.tif")
			require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(f.dir, "m", "leak.tif")))
			path := f.write(tc.text, "m/order.yml")
			f.settle(f.drop(manifests, true, path))
			got := f.record(path)
			require.Equal(t, tracking.DropRefused, got.State)
			require.Contains(t, got.Reason, tc.want)
			version := got.Version
			f.restart()
			f.settle(f.drop(manifests, true, path))
			require.Equal(t, version, f.record(path).Version, "it is refused once")
			require.Len(t, f.orders(), 1)
		})
	}
}

func TestManifest_refusedHoldsItsFolderUntilItIsMendedOrGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.run()
	path := f.write("a: b: c", "m/order.yml")
	a := f.write("x", "m/a.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
	require.Empty(t, f.orders())
	require.NoError(t, os.Remove(path))
	f.eventually(func() bool { return len(f.orders()) == 1 })
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

func TestManifest_thatWaitsInVainIsRefusedNamingWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.ManifestTimeout = 50 * time.Millisecond
	f.restart()
	f.run()
	path := f.write(fmt.Sprintf(manifest, `a.tif, "*.czi"`), "m/order.yml")
	f.write("", "m/a.tif")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { return f.record(path).State == tracking.DropRefused })
	require.Contains(t, f.record(path).Reason, "a.tif\" is empty")
	require.Contains(t, f.record(path).Reason, `*.czi" is not there`)
}

func TestManifest_takesAFolderWithAllInIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "plate/"), "m/order.yml")
	inside := f.write("x", "m/plate/deep/a.tif")
	f.settle(f.drop(manifests, true, path))
	d := f.drop(inbox, false, inside)
	d.Dir = filepath.Join(f.dir, "m")
	f.settle(d)
	require.Equal(t, []string{"151: plate"}, f.orders())
	require.Equal(t, f.record(path).UUID, f.record(inside).UUID)
}

func TestLegacy_isTakenOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "core/a.tif")
	path := f.write("UUID: afe38fe0-ea2b-43e6-949d-364827c66230\nUsername: \"ada\"\nGroup: \"Demo\"\nScreenID: 9\nFiles: [/DIVG/core/a.tif]\n",
		"core/.2BUploaded/2024_01_31_10-20-30.txt")
	f.settle(f.drop(legacy, true, path))
	f.restart()
	f.settle(f.drop(legacy, true, path))
	require.Equal(t, []string{"9: a.tif"}, f.orders())
}

func TestReporter_writesBesideTheManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &intake.Reporter{Store: f.store, Share: f.share, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	path := f.write("a: b: c", "m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { _, err := os.Stat(path + ".rejected.txt"); return err == nil })

	// A receipt replaces a link that a stranger put in its place, and does not follow it.
	victim := f.write("precious", "victim")
	require.NoError(t, os.Symlink(victim, path+".receipt.json"))
	f.write("x", "m/a.tif")
	f.write(fmt.Sprintf(manifest, "a.tif"), "m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool {
		info, err := os.Lstat(path + ".receipt.json")
		return err == nil && info.Mode().IsRegular()
	})
	data, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(data))
	_, err = os.Stat(path + ".rejected.txt")
	require.ErrorIs(t, err, os.ErrNotExist)
}
