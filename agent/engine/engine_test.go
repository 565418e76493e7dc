package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

// deciding lets a test decide what an import does.
type deciding struct {
	nothing

	imports func(ctx context.Context, req importer.Request) ([]importer.Result, error)
}

func (d deciding) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	return d.imports(ctx, req)
}

func backend(imports func(ctx context.Context, req importer.Request) ([]importer.Result, error)) engine.Backend {
	return deciding{imports: imports}
}

// nothing is what a backend does besides imports that needs nothing.
type nothing struct{}

func (nothing) Prepare(context.Context, importer.Order) (string, error) { return "", nil }

func (nothing) Folders(context.Context, importer.Order) ([]string, error) { return nil, nil }

func (nothing) Done(context.Context, string) {}

// imported is what a backend says when all went well.
func imported(req importer.Request) []importer.Result {
	results := make([]importer.Result, len(req.Files))
	for i := range results {
		results[i] = importer.Result{Filesets: []int64{1}, Images: []int64{int64(i + 1)}}
	}
	return results
}

func pathsOf(req importer.Request) (paths []string) {
	for _, file := range req.Files {
		paths = append(paths, file.Path)
	}
	return paths
}

type fixture struct {
	t     *testing.T
	store *tracking.Store
	share *importer.Share
	data  string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, err := tracking.Open(t.Context(), trackingtest.URL(t), 20)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	data := t.TempDir()
	share, err := importer.OpenShare(data)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	return &fixture{t: t, store: store, share: share, data: data}
}

// start runs an engine until the returned stop is called, or the test ends.
func (f *fixture) start(c engine.Config, b engine.Backend) (e *engine.Engine, stop func()) {
	f.t.Helper()
	if b == nil {
		repo, err := repository.Open(repository.Config{Dir: f.t.TempDir()}, f.share, f.store.Catalog(), time.Now)
		require.NoError(f.t, err)
		f.t.Cleanup(func() { require.NoError(f.t, repo.Close()) })
		b = repo
	}
	if c.Workers == 0 {
		c.Workers = 4
	}
	c.MaxAttempts, c.FirstWait = 5, 10*time.Millisecond
	c.CheckTimeout, c.ImportTimeout = time.Minute, cmp.Or(c.ImportTimeout, time.Minute)
	log := slog.New(slog.NewTextHandler(f.t.Output(), nil))
	e = engine.New(c, f.store, f.share, b, func(string) (*slog.Logger, func() error, error) {
		return log, func() error { return nil }, nil
	}, log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(f.t, <-done)
	})
	f.t.Cleanup(stop)
	return e, stop
}

// file makes a file with content and returns its path.
func (f *fixture) file(name string) string {
	f.t.Helper()
	path := filepath.Join(f.data, name)
	require.NoError(f.t, os.WriteFile(path, []byte("pixels"), 0o644))
	return path
}

// place inserts an order of files as a client with psql would.
func (f *fixture) place(files ...string) string {
	f.t.Helper()
	list, err := json.Marshal(files)
	require.NoError(f.t, err)
	return f.placeRow("151", "Dataset", string(list))
}

func (f *fixture) placeRow(id, typ, files string) string {
	f.t.Helper()
	u := uuid.NewString()
	_, err := f.store.Pool().Exec(f.t.Context(), `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', $1, $2, 'Import Pending', $3, $4)`, id, typ, u, files)
	require.NoError(f.t, err)
	return u
}

// await returns the order once its n-th attempt has ended.
func (f *fixture) await(id string, n int) *tracking.Status {
	f.t.Helper()
	var st *tracking.Status
	require.Eventually(f.t, func() bool {
		var err error
		st, err = f.store.Show(f.t.Context(), id)
		require.NoError(f.t, err)
		return st.Attempt == n && st.Ended != nil && st.Stage.Ended()
	}, 30*time.Second, 5*time.Millisecond)
	return st
}

func (f *fixture) stages(id string) (stages []string) {
	f.t.Helper()
	rows, err := f.store.Pool().Query(f.t.Context(), `SELECT stage FROM public.imports WHERE uuid = $1 ORDER BY "timestamp", id`, id)
	require.NoError(f.t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(f.t, rows.Scan(&s))
		stages = append(stages, s)
	}
	require.NoError(f.t, rows.Err())
	return stages
}

var (
	completed = []string{"Import Pending", "Import Started", "Import Completed"}
	failed    = []string{"Import Pending", "Import Started", "Import Failed"}
)

func TestEngine_importsAnInsertedRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(engine.Config{}, nil)
	id := f.place(f.file("a.tif"), f.file("b 'quoted\".tif"))
	st := f.await(id, 1)
	require.Equal(t, order.Completed, st.Stage)
	require.Equal(t, completed, f.stages(id))
	for _, file := range st.Files {
		require.Equal(t, tracking.FileImported, file.State)
		require.Len(t, file.Filesets, 1)
		require.Len(t, file.Images, 1)
	}
}

func TestEngine_takesWhatWasPlacedWhileItWasDown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.place(f.file("a.tif"))
	f.start(engine.Config{}, nil)
	f.await(id, 1)
}

func TestEngine_badOrderFailsAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := f.file("good.tif")
	empty := filepath.Join(f.data, "empty.tif")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(f.data, "leak.tif")))
	quoted := func(path string) string { return `["` + path + `"]` }
	f.start(engine.Config{Workers: 1}, nil)
	for _, tc := range []struct{ id, typ, files, want string }{
		{"151", "Dataset", "not json", "files"},
		{"151", "Dataset", "[]", "file"},
		{"abc", "Dataset", quoted(good), "abc"},
		{"151", "Project", quoted(good), "Project"},
		{"151", "Dataset", quoted(f.data + "/missing.tif"), "There is no file"},
		{"151", "Dataset", quoted(empty), "is empty"},
		{"151", "Dataset", quoted(f.data + "/leak.tif"), "leads outside"},
		{"151", "Dataset", quoted(f.data + "/../x"), `".."`},
		{"151", "Dataset", quoted("/etc/passwd"), "lies outside"},
		{"151", "Dataset", `["` + f.data + `/bad\udcff.tif"]`, "UTF-8"},
		{"151", "Dataset", `["` + good + `", "` + empty + `", "` + f.data + `/missing.tif"]`, "2 of 3 files failed: "},
	} {
		st := f.await(f.placeRow(tc.id, tc.typ, tc.files), 1)
		require.Equal(t, order.Failed, st.Stage, tc.files)
		require.Contains(t, st.Description, tc.want)
		require.Equal(t, failed, f.stages(st.UUID))
	}
	require.Equal(t, order.Completed, f.await(f.place(good), 1).Stage)
}

func TestEngine_refusesWhatItDoesNotSupport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool := f.store.Pool()
	a, b := f.place(f.file("a.tif")), f.place(f.file("b.tif"))
	_, err := pool.Exec(t.Context(), `UPDATE public.imports SET import_options = '{"schema":1,"platePixelSource":"x"}' WHERE uuid = $1`, a)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `WITH c AS (INSERT INTO public.imports_preprocessing (container, input_file, output_folder, extra_params)
		VALUES ('lab/convert:v1', '{Files}', '/data', 'null') RETURNING id)
		UPDATE public.imports SET preprocessing_id = c.id FROM c WHERE uuid = $1`, b)
	require.NoError(t, err)
	f.start(engine.Config{}, nil)
	require.Contains(t, f.await(a, 1).Description, "import_options")
	require.Contains(t, f.await(b, 1).Description, "lab/convert:v1")
}

func TestEngine_retriesByUpdateAndKeepsWhatIsDone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	var asked [][]string
	broken := true
	f.start(engine.Config{}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, pathsOf(req))
		results := imported(req)
		if broken {
			results[1] = importer.Result{Err: &importer.Error{Reason: "The format is not known."}}
		}
		return results, nil
	}))
	good, bad := f.file("good.tif"), f.file("bad.tif")
	id := f.place(good, bad)
	st := f.await(id, 1)
	require.Equal(t, "1 of 2 files failed: The format is not known.", st.Description)
	mu.Lock()
	broken = false
	mu.Unlock()
	_, err := f.store.Pool().Exec(t.Context(), `UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, id)
	require.NoError(t, err)
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	require.Equal(t, [][]string{{good, bad}, {bad}}, asked)
}

func TestEngine_importsTheOthersOfAFileThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(engine.Config{}, nil)
	missing := filepath.Join(f.data, "missing.tif")
	id := f.place(f.file("a.tif"), missing, f.file("b.tif"))
	st := f.await(id, 1)
	require.Contains(t, st.Description, "1 of 3 files failed: ")
	var states []tracking.FileState
	for _, file := range st.Files {
		states = append(states, file.State)
	}
	require.Equal(t, []tracking.FileState{tracking.FileImported, tracking.FileFailed, tracking.FileImported}, states)
	// The retry does only what is not done.
	f.file("missing.tif")
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	again := f.await(id, 2)
	require.Equal(t, order.Completed, again.Stage)
	require.Equal(t, st.Files[0], again.Files[0])
	require.Equal(t, st.Files[2], again.Files[2])
}

func TestEngine_triesAgainWhatMayPass(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tries := 0
	f.start(engine.Config{}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if tries++; tries == 1 {
			return nil, errors.New("connection refused")
		}
		return imported(req), nil
	}))
	id := f.place(f.file("a.tif"))
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
	require.Equal(t, completed, f.stages(id), "a second try is no second start")
	require.Equal(t, 2, tries)
}

func TestEngine_successNeedsAnID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	calls := 0
	f.start(engine.Config{}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if calls++; calls == 1 {
			return make([]importer.Result, len(req.Files)), nil
		}
		return imported(req), nil
	}))
	f.await(f.place(f.file("a.tif")), 1)
	require.Equal(t, 2, calls)
}

func TestEngine_survivesACrashingBackend(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	calls := 0
	f.start(engine.Config{Workers: 1}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if calls++; calls == 1 {
			panic("a defect")
		}
		return imported(req), nil
	}))
	require.Equal(t, order.Completed, f.await(f.place(f.file("a.tif")), 1).Stage)
}

// What is imported is saved while more is, and a crash of a later import does not
// have it imported again.
func TestEngine_savesALargeOrderAsItGoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var files []string
	for i := range 1200 {
		files = append(files, f.file(fmt.Sprintf("%04d.tif", i)))
	}
	var asked [][]string
	f.start(engine.Config{Workers: 1}, backend(func(ctx context.Context, req importer.Request) ([]importer.Result, error) {
		asked = append(asked, pathsOf(req))
		switch len(asked) {
		case 2:
			for saved := 0; saved < 500; {
				if err := f.store.Pool().QueryRow(ctx, `SELECT count(*) FROM importer.files`).Scan(&saved); err != nil {
					return nil, err
				}
			}
		case 3:
			panic("out of memory")
		}
		return imported(req), nil
	}))
	st := f.await(f.place(files...), 1)
	require.Equal(t, order.Completed, st.Stage)
	require.Equal(t, [][]string{files[:500], files[500:1000], files[1000:], files[1000:]}, asked)
	for _, file := range st.Files {
		require.Equal(t, tracking.FileImported, file.State)
	}
}

func TestEngine_twoOnOneDatabaseRunEachOrderOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	runs := map[string]int{}
	count := backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		runs[req.UUID]++
		return imported(req), nil
	})
	f.start(engine.Config{}, count)
	f.start(engine.Config{}, count)
	file := f.file("a.tif")
	var placed []string
	for range 200 {
		placed = append(placed, f.place(file))
	}
	for _, id := range placed {
		f.await(id, 1)
		require.Equal(t, completed, f.stages(id))
	}
	require.Len(t, runs, len(placed))
	for id, n := range runs {
		require.Equal(t, 1, n, id)
	}
}

// blocking is a backend that waits until it is released or cancelled.
type blocking struct {
	nothing

	begun   chan struct{}
	release chan struct{}
}

func (b *blocking) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	b.begun <- struct{}{}
	select {
	case <-b.release:
		return imported(req), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newBlocking() *blocking {
	return &blocking{begun: make(chan struct{}, 10), release: make(chan struct{})}
}

func TestEngine_letsARunningOrderEndWhenItStops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := newBlocking()
	_, stop := f.start(engine.Config{ShutdownTimeout: time.Minute}, b)
	id := f.place(f.file("a.tif"))
	<-b.begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(b.release)
	<-stopped
	require.Equal(t, completed, f.stages(id))
}

func TestEngine_resumesWhatAStopCancelled(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(e *engine.Engine){
		"shutdown_timeout": func(*engine.Engine) {},
		"second signal":    func(e *engine.Engine) { e.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			b := newBlocking()
			timeout := time.Minute
			if name == "shutdown_timeout" {
				timeout = time.Millisecond
			}
			e, stop := f.start(engine.Config{ShutdownTimeout: timeout}, b)
			id := f.place(f.file("a.tif"))
			<-b.begun
			interrupt(e)
			stop()
			require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
			f.start(engine.Config{}, nil)
			require.Equal(t, order.Completed, f.await(id, 1).Stage)
			require.Equal(t, completed, f.stages(id))
		})
	}
}

func TestEngine_startsAgainWhenItsConnectionsBreak(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := newBlocking()
	f.start(engine.Config{}, b)
	id := f.place(f.file("a.tif"))
	<-b.begun
	_, err := f.store.Pool().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	<-b.begun // the same order, resumed under a new lock
	close(b.release)
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
	require.Equal(t, completed, f.stages(id))
	var crashes int
	require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT crashes FROM importer.orders`).Scan(&crashes))
	require.Zero(t, crashes, "the order is not to blame")
}

func TestEngine_cancelsWhileItStops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := newBlocking()
	_, stop := f.start(engine.Config{ShutdownTimeout: time.Minute}, b)
	id := f.place(f.file("a.tif"))
	<-b.begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	require.NoError(t, f.store.Cancel(t.Context(), id))
	<-stopped
	require.Equal(t, failed, f.stages(id))
}

func TestEngine_stopsAnytime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 10 {
		_, stop := f.start(engine.Config{}, nil)
		stop()
	}
}

func TestEngine_cancelsARunningOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := newBlocking()
	f.start(engine.Config{Workers: 1}, b)
	id := f.place(f.file("a.tif"), f.file("b.tif"))
	<-b.begun
	require.NoError(t, f.store.Cancel(t.Context(), id))
	st := f.await(id, 1)
	require.Equal(t, "The order was cancelled.", st.Description)
	require.Equal(t, failed, f.stages(id))
	// The worker is free again.
	next := f.place(f.file("c.tif"))
	<-b.begun
	close(b.release)
	require.Equal(t, order.Completed, f.await(next, 1).Stage)
}

func TestEngine_failsWhatGoesOnFailing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tries := 0
	f.start(engine.Config{Workers: 1}, backend(func(context.Context, importer.Request) ([]importer.Result, error) {
		tries++
		return nil, errors.New("connection refused")
	}))
	st := f.await(f.place(f.file("a.tif")), 1)
	require.Contains(t, st.Description, "tried 5 times")
	require.Equal(t, failed, f.stages(st.UUID))
	require.Equal(t, 5, tries)
}

// Somebody's many orders do not keep another's from being taken up.
func TestEngine_letsUsersTakeTurns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	var users []string
	file := f.file("a.tif")
	for range 50 {
		f.place(file)
	}
	last := f.place(file)
	_, err := f.store.Pool().Exec(t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', 'bob', '1', 'Dataset', 'Import Pending', 'bobs', files FROM public.imports LIMIT 1`)
	require.NoError(t, err)
	f.start(engine.Config{Workers: 1}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		users = append(users, req.User)
		return imported(req), nil
	}))
	f.await(last, 1)
	require.Contains(t, users[:2], "bob")
}

// An order that was taken up without the agent knowing, as the answer was lost, is
// taken up again.
func TestEngine_putsBackWhatItDoesNotKnowOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(engine.Config{}, nil)
	id := f.place(f.file("a.tif"))
	f.await(id, 1)
	_, err := f.store.Pool().Exec(t.Context(), `UPDATE importer.orders SET state = 'running', run = run + 1, ended_at = NULL WHERE uuid = $1`, id)
	require.NoError(t, err)
	f.await(id, 1)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Completed", "Import Completed"}, f.stages(id), "it was ended once more")
}

// While the database refuses an order's end, nothing of it is lost.
func TestEngine_endsACancelledOrderOnceItCan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := newBlocking()
	f.start(engine.Config{Workers: 1}, b)
	id := f.place(f.file("a.tif"))
	<-b.begun
	pool := f.store.Pool()
	_, err := pool.Exec(t.Context(), `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE OF state ON importer.orders FOR EACH ROW WHEN (NEW.state <> 'running') EXECUTE FUNCTION public.refuse()`)
	require.NoError(t, err)
	require.NoError(t, f.store.Cancel(t.Context(), id))
	require.Never(t, func() bool { return len(f.stages(id)) > 2 }, 2*time.Second, 100*time.Millisecond)
	_, err = pool.Exec(t.Context(), `DROP TRIGGER refuse ON importer.orders`)
	require.NoError(t, err)
	require.Equal(t, "The order was cancelled.", f.await(id, 1).Description)
	require.Equal(t, failed, f.stages(id))
}

// longOrder places an order whose list of files a worker reads for itself.
func (f *fixture) longOrder() (id string, n int) {
	f.t.Helper()
	var files []string
	for i := range 500 {
		files = append(files, f.file(fmt.Sprintf("%0200d.tif", i)))
	}
	return f.place(files...), len(files)
}

func TestEngine_importsAnOrderOfVeryManyFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := t.TempDir()
	f.start(engine.Config{SpoolDir: dir}, nil)
	id, n := f.longOrder()
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	var filesets int
	require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM importer.repository_filesets`).Scan(&filesets))
	require.Equal(t, n, filesets, "each once")
	var unnamed int
	require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM public.imports WHERE stage <> 'Import Pending' AND file_names IS NULL`).Scan(&unnamed))
	require.Zero(t, unnamed, "each stage names the files")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// That an agent has no room for its lists is no fault of the order.
func TestEngine_keepsAnOrderThatItCannotList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := filepath.Join(t.TempDir(), "full")
	_, stop := f.start(engine.Config{SpoolDir: dir}, nil)
	id, _ := f.longOrder()
	var tries int
	var wait time.Duration
	require.Eventually(t, func() bool {
		return f.store.Pool().QueryRow(t.Context(), `SELECT tries, due_at - clock_timestamp() FROM importer.orders
			WHERE uuid = $1 AND state = 'queued'`, id).Scan(&tries, &wait) == nil
	}, 30*time.Second, 5*time.Millisecond)
	require.Zero(t, tries)
	require.Greater(t, wait, 30*time.Second)
	stop()
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, err := f.store.Pool().Exec(t.Context(), `UPDATE importer.orders SET due_at = clock_timestamp()`)
	require.NoError(t, err)
	f.start(engine.Config{SpoolDir: dir}, nil)
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
}

// A backend that becomes unavailable in the middle is waited for, whatever it says of single
// files, and uses up no try.
func TestEngine_waitsForItsBackend(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start(engine.Config{}, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		results := imported(req)
		results[0].Err = fmt.Errorf("annotating: %w", importer.ErrUnavailable)
		return results, nil
	}))
	id := f.place(f.file("a.tif"))
	require.Eventually(t, func() bool {
		st, err := f.store.Show(t.Context(), id)
		return err == nil && st.Waits == "OMERO, which the order's files are to be imported into, is not available."
	}, time.Minute, 10*time.Millisecond)
}
