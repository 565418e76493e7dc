package intake_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
	watch  *watcher.Watcher // tells what it would hand over
	stop   func()           // of run
	// set, before each run, what no setting does
	tune       func(*intake.Intake)
	containers intake.Containers
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, err := tracking.Open(t.Context(), trackingtest.URL(t), 6)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	f := &fixture{t: t, dir: t.TempDir(), store: store, containers: containers{}}
	f.share, err = importer.OpenShare(f.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.share.Close()) })
	head := func(c map[string]string) (order.Order, error) {
		return order.Order{Group: c["group"], User: c["user"], Destination: order.Destination{Type: order.Dataset, Name: "inbox"}}, nil
	}
	f.config = intake.Config{
		Rules: []intake.Rule{
			{Path: f.dir + "/{group}/{user}/in", Order: head}, {Path: f.dir + "/{group}/{user}/m"}, {Path: f.dir + "/{group}/.2BUploaded", Legacy: true},
		},
		ManifestTimeout: time.Hour, FullScan: time.Hour, PathMap: map[string]string{"/divg": f.dir}, CoreGroups: []string{"core"},
		Ignored: func(base string) bool { return base == "Thumbs.db" },
		Measure: func(ctx context.Context, path string) (watcher.Drop, bool, error) { return f.watch.Measure(ctx, path) },
	}
	f.units(watcher.Auto)
	f.restart()
	return f
}

// units makes drops of what the unit says.
func (f *fixture) units(unit watcher.Unit) {
	f.t.Helper()
	var opts watcher.Options
	for _, r := range f.config.Rules {
		opts.Rules = append(opts.Rules, watcher.Rule{
			Path: r.Path, Unit: unit, Exclude: []string{"notes.txt"}, Control: order.ManifestGlobs, ControlOnly: r.Order == nil,
		})
	}
	var err error
	f.watch, err = watcher.New(opts, f)
	require.NoError(f.t, err)
}

// restart replaces the intake by one that knows only what the database does.
func (f *fixture) restart() {
	if f.stop != nil {
		f.stop()
	}
	f.Intake = intake.New(f.config, f.store, f.share, f.containers, slog.New(slog.NewTextHandler(f.t.Output(), nil)))
	if f.tune != nil {
		f.tune(f.Intake)
	}
	f.run()
}

// run lets the intake look after manifests until it is stopped.
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

// report lets a reporter write until the test ends.
func (f *fixture) report() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	done := make(chan error, 1)
	reporter := f.Reporter()
	go func() { done <- reporter.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		require.NoError(f.t, <-done)
	})
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
	d, ok, err := f.watch.Measure(f.t.Context(), path)
	require.NoError(f.t, err)
	if ok {
		return d
	}
	info, err := os.Stat(path)
	require.NoError(f.t, err)
	dir := filepath.Dir(path)
	parts := strings.Split(strings.TrimPrefix(path, f.dir+"/"), "/")
	captures := map[string]string{}
	switch {
	case rule == legacy:
		captures["group"] = parts[0]
	case len(parts) > 3:
		captures["group"], captures["user"] = parts[0], parts[1]
		dir = filepath.Join(f.dir, parts[0], parts[1], parts[2])
	}
	var st syscall.Stat_t
	require.NoError(f.t, syscall.Stat(path, &st))
	return mark(watcher.Drop{
		Rule: rule, Path: path, Dir: dir, Control: control, Captures: captures,
		Size: info.Size(), ModTime: info.ModTime(), IsDir: info.IsDir(), Inode: st.Ino,
	})
}

// mark marks a drop as the watcher would.
func mark(d watcher.Drop) watcher.Drop {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, filepath.Base(d.Path), d.Size, d.ModTime.UnixNano())
	d.Mark = h.Sum64()
	return d
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

// reports counts those that are due, as far as they match.
func (f *fixture) reports(where string) (n int) {
	f.t.Helper()
	require.NoError(f.t, f.store.Pool().QueryRow(f.t.Context(), `SELECT count(*) FROM importer.reports WHERE `+where).Scan(&n))
	return n
}

// becomes waits for the state of a drop.
func (f *fixture) becomes(path string, state tracking.DropState) tracking.Drop {
	f.t.Helper()
	f.eventually(func() bool { return f.record(path).State == state })
	return f.record(path)
}

func (f *fixture) eventually(ok func() bool) {
	f.t.Helper()
	require.Eventually(f.t, ok, 3*time.Minute, 10*time.Millisecond, "it never came")
}

const manifest = "group: Demo\nuser: ada\ndestination: {type: Dataset, id: 151}\nfiles: [%s]\n"

func TestData_settledTogetherIsOneOrderOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.write("x", "Demo/ada/in/a.tif"), f.write("x", "Demo/ada/in/b.tif")
	drops := []watcher.Drop{f.drop(inbox, false, b), f.drop(inbox, false, a)}
	f.settle(drops...)
	require.Equal(t, []string{"105: a.tif b.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(a).State)
	f.settle(drops...)
	f.restart()
	f.settle(drops...)
	require.Len(t, f.orders(), 1)
	f.write("changed", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, []string{"105: a.tif b.tif", "105: a.tif"}, f.orders())
}

func TestData_ofOneDestinationIsOneOrderWhateverItsFolder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	head := f.config.Rules[inbox].Order
	f.config.Rules[inbox] = intake.Rule{
		Path: f.dir + "/{group}/{user}/in/{run}",
		Order: func(c map[string]string) (order.Order, error) {
			o, err := head(c)
			switch c["run"] {
			case "3":
				o.Description = "another"
			case "4":
				err = order.Errorf(order.Invalid, "No order fits.")
			}
			return o, err
		},
		Converter: func(path string) *order.Converter {
			if filepath.Ext(path) == ".lif" {
				return &order.Converter{Container: "lab/convert:v1", Params: map[string]any{"n": 1}}
			}
			return nil
		},
	}
	f.units(watcher.Auto)
	f.restart()
	var drops []watcher.Drop
	for run := range 5 {
		for _, ext := range []string{"lif", "tif"} {
			drops = append(drops, f.drop(inbox, false, f.write("x", fmt.Sprintf("Demo/ada/in/%d/%d.%s", run, run, ext))))
		}
	}
	f.settle(drops...)
	require.Equal(t, []string{"105: 0.lif 1.lif 2.lif", "105: 0.tif 1.tif 2.tif", "105: 3.lif", "105: 3.tif"}, f.orders())
	for _, d := range drops[8:] {
		require.Equal(t, tracking.DropRefused, f.record(d.Path).State, d.Path)
		require.Equal(t, "No order fits.", f.record(d.Path).Reason)
	}
	f.restart()
	f.settle(drops...)
	require.Len(t, f.orders(), 4)
}

func TestData_ofAPathTwiceInABatchIsTheLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write("x", "Demo/ada/in/a.tif")
	before, other := f.drop(inbox, false, path), f.drop(inbox, false, f.write("x", "Demo/ada/in/b.tif"))
	f.write("more", "Demo/ada/in/a.tif")
	now := f.drop(inbox, false, path)
	f.settle(before, other, now)
	require.Equal(t, now.Mark, f.record(path).Mark)
	require.Equal(t, []string{"105: a.tif b.tif"}, f.orders())
}

func TestData_withLongNamesIsSeveralOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := filepath.Join(f.dir, "Demo/ada/in", strings.Repeat("ж", 120), strings.Repeat("ж", 120))
	drops := make([]watcher.Drop, 10_000)
	for i := range drops {
		drops[i] = mark(watcher.Drop{
			Rule: inbox, Path: fmt.Sprintf("%s/изображение на микроскопе %d.tif", dir, i), Dir: f.dir + "/Demo/ada/in",
			Captures: map[string]string{"group": "Demo", "user": "ada"}, Size: 1, ModTime: time.Now(),
		})
	}
	f.settle(drops...)
	rows, err := f.store.Pool().Query(t.Context(), `SELECT uuid, files FROM public.imports`)
	require.NoError(t, err)
	var id, files string
	named := map[string]string{} // the order that names a path
	orders, err := pgx.ForEachRow(rows, []any{&id, &files}, func() error {
		paths, err := order.DecodePaths(files)
		for _, p := range paths {
			named[p] = id
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, int64(2), orders.RowsAffected())
	require.Len(t, named, len(drops))
	records, err := f.store.Drops(t.Context(), slices.Collect(maps.Keys(named)))
	require.NoError(t, err)
	for path, id := range named {
		require.Equal(t, id, records[path].UUID)
	}
}

func TestData_thatCannotBeImportedIsRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, want := range map[string]string{"empty.tif": "empty", "bad\xff.tif": "UTF-8"} {
		content := "x"
		if name == "empty.tif" {
			content = ""
		}
		path := f.write(content, "Demo/ada/in/"+name)
		f.settle(f.drop(inbox, false, path))
		require.Equal(t, tracking.DropRefused, f.record(path).State)
		require.Contains(t, f.record(path).Reason, want)
	}
	require.Empty(t, f.orders())
}

func TestManifest_isOneOrderHoweverOftenItIsSeen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	file := f.write("x", "Demo/ada/m/a.tif")
	f.write("x", "Demo/ada/m/Thumbs.db")
	path := f.write(fmt.Sprintf(manifest, `"*", "a.*"`), "Demo/ada/m/order.yml")
	for range 3 {
		f.settle(f.drop(manifests, true, path), f.drop(inbox, false, file))
		f.becomes(path, tracking.DropTaken)
		f.restart()
	}
	require.Equal(t, []string{"151: a.tif"}, f.orders())
	require.Equal(t, f.record(path).UUID, f.record(file).UUID)
}

func TestManifest_waitsForItsFilesAndHoldsThem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, `a.tif, b.tif`), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	a := f.write("x", "Demo/ada/m/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	require.Empty(t, f.orders())
	f.restart() // a restart knows of both and of their wait
	f.settle(f.drop(manifests, true, path), f.drop(inbox, false, a))
	f.write("x", "Demo/ada/m/b.tif")
	f.eventually(func() bool { return len(f.orders()) == 1 })
	require.Equal(t, []string{"151: a.tif b.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(a).State)
}

func TestManifest_editedIsAnotherAttemptAtItsOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "Demo/ada/m/a.tif")
	f.write("x", "Demo/ada/m/b.tif")
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	first := f.becomes(path, tracking.DropTaken).UUID
	f.write(fmt.Sprintf(manifest, "a.tif, b.tif"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { return len(f.orders()) == 2 })
	require.Equal(t, []string{"151: a.tif", "151: a.tif b.tif"}, f.orders())
	require.Equal(t, first, f.record(path).UUID)
}

func TestManifest_droppedAnewTakesWhatHasComeSince(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "Demo/ada/m/monday.tif")
	text := fmt.Sprintf(manifest, `"*.tif"`)
	path := f.write(text, "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	require.NoError(t, os.Rename(path, path+".keep")) // so that the new file is another inode
	f.write("x", "Demo/ada/m/tuesday.tif")
	f.write(text, "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { return len(f.orders()) == 2 })
	require.Equal(t, "151: monday.tif tuesday.tif", f.orders()[1])
}

func TestManifest_savedAgainWithoutAChangeIsOneOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "Demo/ada/m/a.tif")
	text := fmt.Sprintf(manifest, `"*.tif"`)
	path := f.write(text, "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	require.NoError(t, os.Rename(path, path+".bak")) // as editors do, and rsync
	f.write(text, "Demo/ada/m/order.yml")
	again := f.drop(manifests, true, path)
	require.NotEqual(t, again.Inode, f.record(path).Inode)
	f.settle(again)
	f.eventually(func() bool { return f.record(path).Inode == again.Inode })
	require.Equal(t, []string{"151: a.tif"}, f.orders())
	require.Equal(t, tracking.DropTaken, f.record(path).State)
}

func TestManifest_takenAwayAndPutBackCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
	d := f.drop(manifests, true, path)
	f.settle(d)
	require.NoError(t, os.Rename(path, path+".off"))
	f.becomes(path, tracking.DropGone)
	require.NoError(t, os.Rename(path+".off", path))
	f.write("x", "Demo/ada/m/a.tif")
	f.settle(d)
	f.becomes(path, tracking.DropTaken)
}

func TestManifest_ofOneUserLeavesTheFilesOfAnotherAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bobs := f.write("x", "Demo/bob/in/b.tif")
	for name, text := range map[string]string{
		"denied.order.yml":  strings.Replace(fmt.Sprintf(manifest, `"/**"`), "ada", "bob", 1),
		"allowed.order.yml": fmt.Sprintf(manifest, `"`+f.dir+`/*/*/*/*.tif", missing.tif`),
	} {
		path := f.write(text, "Demo/ada/m/"+name)
		f.settle(f.drop(manifests, true, path))
	}
	f.settle(f.drop(inbox, false, bobs))
	require.Equal(t, tracking.DropTaken, f.record(bobs).State)
	require.Equal(t, []string{"105: b.tif"}, f.orders())
}

func TestManifest_actsForNobodyWhereItsRuleDoesNotFit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[inbox].Order = func(map[string]string) (order.Order, error) {
		return order.Order{}, order.Errorf(order.Invalid, "The folder gives %q as the id of the Dataset.", "in")
	}
	f.restart()
	f.write("x", "Demo/ada/in/a.tif")
	path := f.write(fmt.Sprintf(manifest, "a.tif")+"wait_for: present\n", "Demo/ada/in/order.yml")
	f.settle(f.drop(inbox, true, path))
	require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, `The folder gives "in" as the id of the Dataset.`)
	require.Empty(t, f.orders())
}

func TestManifest_inAFolderWithBracketsMeansItsOwnFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "Demo/ada/m/run 1/a.tif")
	own := f.write("x", "Demo/ada/m/run [1]/a.tif")
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/run [1]/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	require.Equal(t, f.record(path).UUID, f.record(own).UUID)
}

func TestManifest_waitsUntilAFileNoLongerGrows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	name := filepath.Join(f.dir, "Demo/ada/m/a.tif")
	file, err := os.Create(name)
	require.NoError(t, err)
	for range 15 {
		_, err := file.WriteString("more pixels")
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		require.Empty(t, f.orders())
	}
	require.NoError(t, file.Close())
	f.becomes(path, tracking.DropTaken)
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
		"itself":        {fmt.Sprintf(manifest, "order.yml"), "not data"},
		"a long glob":   {fmt.Sprintf(manifest, `"*[`+strings.Repeat("ABCDEFGHIJ", 500)+`].tif"`), `"*[ABCDEFGHIJ`},
		"no YAML":       {"a: b: c", "order.yml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			require.NoError(t, f.store.Submit(t.Context(), tracking.NewOrder{Order: order.Order{
				UUID: id, Group: "x", User: "x", Files: []string{"/x"}, Destination: order.Destination{Type: order.Dataset, ID: 1},
			}}))
			f.write("x", "Demo/ada/m/a.tif")
			require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(f.dir, "Demo/ada/m/leak.tif")))
			path := f.write(tc.text, "Demo/ada/m/order.yml")
			f.settle(f.drop(manifests, true, path))
			got := f.becomes(path, tracking.DropRefused)
			require.Contains(t, got.Reason, tc.want)
			version := got.Version
			f.restart()
			f.settle(f.drop(manifests, true, path))
			time.Sleep(300 * time.Millisecond)
			require.Equal(t, version, f.record(path).Version, "it is refused once")
			require.Len(t, f.orders(), 1)
		})
	}
}

func TestManifest_whosePathIsNotUTF8IsRefusedAndHoldsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, name := range []string{"bad\xff.order.yml", "bad\xff/order.yml"} {
		path := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/in/"+name)
		f.settle(f.drop(inbox, true, path))
		require.Equal(t, tracking.DropRefused, f.record(path).State)
		require.Contains(t, f.record(path).Reason, "not valid UTF-8: rename it")
		f.settle(f.drop(inbox, true, path))
		require.Equal(t, 1, f.record(path).Version, "it is refused once")
	}
	require.Zero(t, f.reports(`true`), "nobody could find their place")
	a := f.write("x", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

func TestManifest_ofMoreThanAnOrderCanHoldIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.tune = func(in *intake.Intake) { in.SetBudget(3 * time.Minute) } // a busy machine looks slowly
	f.restart()
	long := strings.Repeat("ж", 120)
	dir := filepath.Join(f.dir, "Demo/ada/m", strings.Repeat(long+"/", 14))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i := range 1700 {
		require.NoError(t, os.WriteFile(fmt.Sprintf("%s/%d.tif", dir, i), []byte("x"), 0o600))
	}
	path := f.write(fmt.Sprintf(manifest, `"`+dir+`/*.tif"`)+"wait_for: present\n", "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, "order.yml: The names of the order's 1700 files take")
	require.Empty(t, f.orders())
}

func TestManifest_refusedHoldsItsFolderUntilItIsMendedOrGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write("a: b: c", "Demo/ada/m/order.yml")
	a := f.write("x", "Demo/ada/m/a.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a))
	require.Empty(t, f.orders())
	require.NoError(t, os.Remove(path))
	f.eventually(func() bool { return len(f.orders()) == 1 })
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

func TestManifest_mendedFreesAtOnceWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write("a: b: c", "Demo/ada/in/order.yml")
	a, b := f.write("x", "Demo/ada/in/a.tif"), f.write("x", "Demo/ada/in/b.tif")
	f.settle(f.drop(inbox, true, path), f.drop(inbox, false, a), f.drop(inbox, false, b))
	f.write(fmt.Sprintf(manifest, "b.tif, tomorrow.tif"), "Demo/ada/in/order.yml")
	f.settle(f.drop(inbox, true, path))
	require.Equal(t, []string{"105: a.tif"}, f.orders())
	require.Equal(t, tracking.DropHeld, f.record(b).State)
}

func TestManifest_thatWaitsInVainIsRefusedNamingWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.ManifestTimeout = 50 * time.Millisecond
	f.restart()
	path := f.write(fmt.Sprintf(manifest, `a.tif, "*.czi"`), "Demo/ada/m/order.yml")
	f.write("", "Demo/ada/m/a.tif")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { return f.record(path).State == tracking.DropRefused })
	require.Contains(t, f.record(path).Reason, "a.tif\" is empty")
	require.Contains(t, f.record(path).Reason, `*.czi" is not there`)
}

func TestManifest_takesAFolderWithAllInIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, "plate/"), "Demo/ada/m/order.yml")
	inside := f.write("x", "Demo/ada/m/plate/deep/a.tif")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropTaken)
	f.settle(f.drop(inbox, false, inside))
	require.Equal(t, []string{"151: plate"}, f.orders())
	require.Equal(t, f.record(path).UUID, f.record(inside).UUID)

	// What comes later, however old it says it is, is a drop of its own.
	late := f.write("x", "Demo/ada/m/plate/late.tif")
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(late, old, old))
	f.settle(f.drop(inbox, false, late))
	require.Equal(t, []string{"151: plate", "105: late.tif"}, f.orders())
}

func TestHeldFile_staysHeldOverARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, `"`+f.dir+`/Demo/ada/in/a.tif", b.tif`), "Demo/ada/m/order.yml")
	a := f.write("x", "Demo/ada/in/a.tif")
	f.settle(f.drop(manifests, true, path))
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	f.restart()
	f.settle(f.drop(inbox, false, a)) // before its manifest is seen again
	require.Empty(t, f.orders())
	f.settle(f.drop(manifests, true, path))
	f.write("x", "Demo/ada/m/b.tif")
	f.becomes(path, tracking.DropTaken)
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, []string{"151: a.tif b.tif"}, f.orders())
}

func TestHeldFiles_stayHeldUntilTheirManifestIsSeenAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write(fmt.Sprintf(manifest, `"`+f.dir+`/Demo/ada/in/*.tif", c.tif`), "Demo/ada/m/order.yml")
	a, b := f.write("a", "Demo/ada/in/a.tif"), f.write("b", "Demo/ada/in/b.tif")
	f.settle(f.drop(manifests, true, path))
	f.settle(f.drop(inbox, false, a), f.drop(inbox, false, b))
	f.restart()
	bobs := f.write("x", "Demo/bob/in/x.tif")
	f.settle(f.drop(inbox, false, a), f.drop(inbox, false, b), f.drop(inbox, false, bobs)) // before the manifest
	require.Equal(t, []string{"105: x.tif"}, f.orders())
	f.settle(f.drop(manifests, true, path))
	f.write("x", "Demo/ada/m/c.tif")
	f.becomes(path, tracking.DropTaken)
	require.Equal(t, []string{"105: x.tif", "151: a.tif b.tif c.tif"}, f.orders())
}

func TestHeldFile_isFreedWhenItsManifestIsNotSeenAgain(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(f *fixture, path string){
		"removed meanwhile": func(f *fixture, path string) { require.NoError(f.t, os.Remove(path)) },
		"no longer watched": func(f *fixture, _ string) { f.config.ManifestTimeout = time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			path := f.write(fmt.Sprintf(manifest, `"`+f.dir+`/Demo/ada/in/a.tif", b.tif`), "Demo/ada/m/order.yml")
			a := f.write("x", "Demo/ada/in/a.tif")
			f.settle(f.drop(manifests, true, path), f.drop(inbox, false, a))
			require.Equal(t, tracking.DropHeld, f.record(a).State)
			f.stop()
			happens(f, path)
			f.restart()
			f.settle(f.drop(inbox, false, a))
			f.becomes(a, tracking.DropTaken)
			require.Equal(t, []string{"105: a.tif"}, f.orders())
		})
	}
}

func TestAgents_twoOnOneFolderOrderOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := newFixture(t)
	other.store, other.share = f.store, f.share
	other.dir, other.config = f.dir, f.config
	other.restart()
	good := f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/good.order.yml")
	bad := f.write("a: b: c", "Demo/ada/m/sub/bad.order.yml")
	f.write("x", "Demo/ada/m/a.tif")
	for _, agent := range []*fixture{f, other} {
		for _, path := range []string{good, bad} {
			// The loser of a race is handed the drop again.
			require.Eventually(t, func() bool {
				return agent.Settled(t.Context(), []watcher.Drop{f.drop(manifests, true, path)}) == nil
			}, 5*time.Second, 10*time.Millisecond)
		}
	}
	f.becomes(good, tracking.DropTaken)
	version := f.becomes(bad, tracking.DropRefused).Version
	time.Sleep(500 * time.Millisecond)
	require.Equal(t, version, f.record(bad).Version)
	require.Equal(t, []string{"151: a.tif"}, f.orders())
}

func TestLegacy_isTakenOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "core/a.tif")
	path := f.write("UUID: afe38fe0-ea2b-43e6-949d-364827c66230\nUsername: \"ada\"\nGroup: \"Demo\"\nScreenID: 9\nFiles: [/DIVG/core/a.tif]\n",
		"core/.2BUploaded/2024_01_31_10-20-30.txt")
	f.settle(f.drop(legacy, true, path))
	f.becomes(path, tracking.DropTaken)
	f.restart()
	f.settle(f.drop(legacy, true, path))
	require.Equal(t, []string{"9: a.tif"}, f.orders())
}

func TestLegacy_actsForItsOwnGroupUnlessItIsACoreFacilitys(t *testing.T) {
	t.Parallel()
	for folder, refusal := range map[string]string{
		"core": "", "Demo": "",
		"Eye": `it acts for the group "Demo", but its folder is the group "Eye"'s: put it into the folder of "Demo", or ask ` +
			`the administrator to name "Eye" in the setting legacy.core_groups.`,
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.write("x", "archive/a.tif")
			path := f.write(fmt.Sprintf(legacyOrder, f.dir+"/archive/a.tif"), folder+"/.2BUploaded/2024_01_31_10-20-30.txt")
			f.settle(f.drop(legacy, true, path))
			if refusal == "" {
				f.becomes(path, tracking.DropTaken)
				return
			}
			require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, refusal)
			require.Empty(t, f.orders())
		})
	}
}

// One group's order file does not hold up what another group drops.
func TestLegacy_holdsNothingOfOtherGroups(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.write("x", "Demo/ada/in/a.tif")
	path := f.write("Username: eve\nGroup: Eye\nScreenID: 9\nFiles: ["+a+", "+f.dir+"/Eye/missing.tif]\n", "Eye/.2BUploaded/2024_01_31_10-20-30.txt")
	f.settle(f.drop(legacy, true, path), f.drop(inbox, false, a))
	require.Equal(t, tracking.DropTaken, f.record(a).State)
	require.Equal(t, []string{"105: a.tif"}, f.orders())
}

func TestLegacy_isOnlyWhatADateNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "core/a.tif")
	for _, name := range []string{"9999_99_99_99-99-99.x", "2024_01_31_10-20-30.txt.rejected.txt"} {
		path := f.write("Username: \"ada\"\nGroup: \"Demo\"\nScreenID: 9\nFiles: [/DIVG/core/a.tif]\n", "core/.2BUploaded/"+name)
		f.settle(f.drop(legacy, true, path))
		require.Empty(t, f.record(path), name)
	}
}

func TestReporter_writesBesideTheManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.report()
	path := f.write("a: b: c", "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.eventually(func() bool { _, err := os.Stat(path + ".rejected.txt"); return err == nil })

	// A receipt replaces a link that a stranger put in its place, and does not follow it.
	victim := f.write("precious", "victim")
	require.NoError(t, os.Symlink(victim, path+".receipt.json"))
	f.write("x", "Demo/ada/m/a.tif")
	f.write(fmt.Sprintf(manifest, "a.tif"), "Demo/ada/m/order.yml")
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

const legacyOrder = "Username: \"ada\"\nGroup: \"Demo\"\nScreenID: 9\nFiles: [%s]\n"

func TestReporter_outlivesAShareThatIsAway(t *testing.T) {
	t.Parallel()
	const name = "2024_01_31_10-20-30.txt"
	for _, tc := range []struct{ name, text, path, told string }{
		{"taken", fmt.Sprintf(manifest, "a.tif") + "wait_for: present\n", "Demo/ada/m/order.yml", "Demo/ada/m/order.yml.receipt.json"},
		{"refused", "a: b: c", "Demo/ada/m/order.yml", "Demo/ada/m/order.yml.rejected.txt"},
		{"legacy", fmt.Sprintf(legacyOrder, "/etc/passwd"), "core/.2BUploaded/" + name, "core/.failed_uploads/*/" + name},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.write("x", "Demo/ada/m/a.tif")
			path := f.write(tc.text, tc.path)
			rule := manifests
			if tc.name == "legacy" {
				rule = legacy
			}
			f.settle(f.drop(rule, true, path))
			f.eventually(func() bool {
				state := f.record(path).State
				return state == tracking.DropTaken || state == tracking.DropRefused
			})
			f.stop()
			top := filepath.Join(f.dir, strings.Split(tc.path, "/")[0])
			require.NoError(t, os.Rename(top, top+".away"))
			f.report()
			f.eventually(func() bool { return f.reports(`tries > 0`) == 1 })
			require.NoError(t, os.Rename(top+".away", top))
			f.eventually(func() bool {
				told, err := filepath.Glob(filepath.Join(f.dir, tc.told))
				return err == nil && len(told) == 1
			})
			f.eventually(func() bool { return f.reports(`true`) == 0 })
		})
	}
}

func TestReporter_leavesAloneWhatItsAuthorTookAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.write("a: b: c", "Demo/ada/m/order.yml")
	f.settle(f.drop(manifests, true, path))
	f.becomes(path, tracking.DropRefused)
	f.stop()
	require.NoError(t, os.Remove(path))
	f.report()
	f.eventually(func() bool { return f.reports(`true`) == 0 })
	require.NoFileExists(t, path+".rejected.txt")
}

func TestLegacy_refusedGoesToItsUsersFolder(t *testing.T) {
	t.Parallel()
	for text, user := range map[string]string{fmt.Sprintf(legacyOrder, "/etc/passwd"): "ada", "Username: \"ada\"\n": "unknown"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.report()
			const name = "2024_01_31_10-20-30.txt"
			path := f.write(text, "core/.2BUploaded/"+name)
			f.settle(f.drop(legacy, true, path))
			f.eventually(func() bool {
				_, err := os.Stat(filepath.Join(f.dir, "core/.failed_uploads", user, name))
				return err == nil
			})
		})
	}
}

// What had to be corrected may be the files, not the order.
func TestLegacy_failedAndMovedBackIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("x", "core/a.tif")
	const name = "2024_01_31_10-20-30.txt"
	path := f.write(fmt.Sprintf(legacyOrder, "/DIVG/core/a.tif"), "core/.2BUploaded/"+name)
	d := f.drop(legacy, true, path)
	f.settle(d)
	id := f.becomes(path, tracking.DropTaken).UUID
	_, err := f.store.Pool().Exec(t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT group_name, user_name, destination_id, destination_type, 'Import Failed', uuid, files FROM public.imports WHERE uuid = $1`, id)
	require.NoError(t, err)
	f.report()
	moved := filepath.Join(f.dir, "core/.failed_uploads/ada", name)
	f.eventually(func() bool { _, err := os.Stat(moved); return err == nil && f.reports(`true`) == 0 })
	require.NoError(t, os.Rename(moved, path))
	f.settle(d)
	f.eventually(func() bool { return len(f.orders()) == 3 })
}
