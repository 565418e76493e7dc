package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
	"biomero-importer/preprocess"
)

// converter is what tests have in place of podman.
type converter struct {
	run     func(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error)
	check   func(req preprocess.Request) error
	removed atomic.Int64
}

func (c *converter) Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
	if err := watch.Starting(); err != nil {
		return preprocess.Result{}, err
	}
	if c.run != nil {
		return c.run(ctx, req, watch)
	}
	return made(req)
}

func (c *converter) Check(req preprocess.Request) error {
	if c.check == nil {
		return nil
	}
	return c.check(req)
}

func (c *converter) Remove(context.Context, string) error {
	c.removed.Add(1)
	return nil
}

func (c *converter) RemoveLeftovers(context.Context, func(context.Context, string) (bool, error)) error {
	return nil
}

// made converts an input into a file that stays and a copy of it.
func made(req preprocess.Request) (preprocess.Result, error) {
	name := filepath.Base(req.Path) + "." + strconv.Itoa(req.Input) + ".ome.tiff"
	stays, copied := filepath.Join(filepath.Dir(req.Path), ".processed", name), filepath.Join(req.Temp, "out-1", name)
	for _, path := range []string{stays, copied} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("pixels"), 0o600)); err != nil {
			return preprocess.Result{}, err
		}
	}
	return preprocess.Result{
		Image: "docker.io/library/" + req.Image, Digest: "sha256:abc",
		Items: []preprocess.Item{{Name: "image of " + filepath.Base(req.Path), Import: copied, Published: stays}},
		Moves: []preprocess.Move{{From: copied, To: stays}, {From: filepath.Dir(copied)}},
	}, nil
}

// converting starts an engine that converts with c, and returns the folder of the links.
func (f *fixture) converting(c *converter, workers int, b engine.Backend) (repo, temp string) {
	f.t.Helper()
	repo, temp = f.t.TempDir(), f.t.TempDir()
	if b == nil {
		r, err := repository.Open(repository.Config{Dir: repo}, f.share, f.store.Catalog(), time.Now)
		require.NoError(f.t, err)
		f.t.Cleanup(func() { require.NoError(f.t, r.Close()) })
		b = r
	}
	f.start(engine.Config{Conversions: engine.Conversions{Converter: c, Workers: workers, Temp: temp, Processed: ".processed"}}, b)
	return repo, temp
}

// placeConverted places an order whose files a container converts first.
func (f *fixture) placeConverted(files ...string) string {
	f.t.Helper()
	var row int64
	require.NoError(f.t, f.store.Pool().QueryRow(f.t.Context(), `INSERT INTO public.imports_preprocessing (container, input_file, output_folder, alt_output_folder, extra_params)
		VALUES ('lab/converter:v1', '{Files}', '/data', '/out', '{"saveoption": "single"}') RETURNING id`).Scan(&row))
	var uuid string
	require.NoError(f.t, f.store.Pool().QueryRow(f.t.Context(), `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
		VALUES ('Demo', 'ada', '151', 'Dataset', 'Import Pending', gen_random_uuid()::text, $1, $2) RETURNING uuid`, order.EncodePaths(files), row).Scan(&uuid))
	return uuid
}

// links are what links below a folder lead to, by their base names.
func links(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink == 0 {
			return err
		}
		target, err := os.Readlink(path)
		found[filepath.Base(path)] = target
		return err
	}))
	return found
}

var convertedStages = []string{"Import Pending", "Import Started", "Import Preprocessing", "Import Completed"}

func TestEngine_importsWhatFilesAreConvertedInto(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &converter{run: func(_ context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
		watch.Pulling("1 MB")
		watch.Line(preprocess.Stderr, "a warning\x00\xff")
		watch.Progress(40)
		return made(req)
	}}
	repo, temp := f.converting(c, 2, nil)
	files := []string{f.file("a.lif"), f.file("b.lif"), f.file("c.lif")}
	id := f.placeConverted(files...)
	st := f.await(id, 1)
	require.Equal(t, order.Completed, st.Stage, st.Description)
	require.Equal(t, convertedStages, f.stages(id))
	stays := filepath.Join(f.data, ".processed")
	require.Equal(t, map[string]string{
		"a.lif.0.ome.tiff": stays + "/a.lif.0.ome.tiff", "b.lif.1.ome.tiff": stays + "/b.lif.1.ome.tiff", "c.lif.2.ome.tiff": stays + "/c.lif.2.ome.tiff",
	}, links(t, repo))
	require.Len(t, st.Conversions, 3)
	require.Equal(t, "sha256:abc", st.Conversions[2].Digest)
	require.Contains(t, st.Output, "a warning\uFFFD\uFFFD")
	for i, file := range st.Files {
		require.Equal(t, files[i], file.Path)
		require.Len(t, file.Images, 1)
	}
	var named int
	require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM importer.repository_images WHERE name LIKE 'image of _.lif'`).Scan(&named))
	require.Equal(t, 3, named)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestEngine_importsTheOthersOfAFileThatCannotBeConverted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if filepath.Base(req.Path) == "bad.lif" {
			return preprocess.Result{}, &preprocess.Error{Reason: "The converter ended with status 3."}
		}
		return made(req)
	}, check: func(req preprocess.Request) error {
		if filepath.Base(req.Path) == "never.lif" {
			return &preprocess.Error{Reason: "Its image may not run here."}
		}
		return nil
	}}
	repo, temp := f.converting(c, 2, nil)
	id := f.placeConverted(f.file("a.lif"), f.file("bad.lif"), f.file("never.lif"), f.file("b.lif"))
	st := f.await(id, 1)
	require.Equal(t, order.Failed, st.Stage)
	require.Equal(t, "2 of 4 files failed: The converter ended with status 3.", st.Description)
	require.Len(t, links(t, repo), 2)
	require.Eventually(t, func() bool {
		left, err := os.ReadDir(temp)
		return err == nil && len(left) == 0
	}, 10*time.Second, 5*time.Millisecond)
}

func TestEngine_waitsForPodmanWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var there atomic.Bool
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if !there.Load() {
			return preprocess.Result{}, preprocess.ErrUnavailable
		}
		return made(req)
	}}
	f.converting(c, 2, nil)
	converted, plain := f.placeConverted(f.file("a.lif")), f.place(f.file("b.tif"))
	require.Equal(t, order.Completed, f.await(plain, 1).Stage)
	require.Eventually(t, func() bool {
		st, err := f.store.Show(t.Context(), converted)
		return err == nil && st.Waits == "Podman, which is to convert the order's files, is not available."
	}, 30*time.Second, 5*time.Millisecond)
	there.Store(true)
	var tries int
	require.NoError(t, f.store.Pool().QueryRow(t.Context(), `UPDATE importer.orders SET due_at = clock_timestamp() WHERE uuid = $1 RETURNING tries`, converted).Scan(&tries))
	require.Zero(t, tries)
	st := f.await(converted, 1)
	require.Equal(t, order.Completed, st.Stage)
	require.Empty(t, st.Waits)
}

func TestEngine_convertsOnceThoughTheImportIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var runs, imports atomic.Int64
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		runs.Add(1)
		return made(req)
	}}
	f.converting(c, 2, backend(func(_ context.Context, req importer.Request) ([]importer.Result, error) {
		if imports.Add(1) == 1 {
			return nil, errors.New("the server is busy")
		}
		return imported(req), nil
	}))
	id := f.placeConverted(f.file("a.lif"))
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
	require.EqualValues(t, 1, runs.Load())
	require.EqualValues(t, 2, imports.Load())
	require.Equal(t, convertedStages, f.stages(id), "each once")

	// Another attempt at all of it is another conversion.
	require.NoError(t, f.store.Retry(t.Context(), id, true))
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	require.EqualValues(t, 2, runs.Load())
	require.Equal(t, append(convertedStages, convertedStages...), f.stages(id))
}

func TestEngine_cancelsAConversion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	running := make(chan struct{})
	begins := sync.OnceFunc(func() { close(running) })
	c := &converter{run: func(ctx context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if err := os.MkdirAll(req.Temp, 0o700); err != nil {
			return preprocess.Result{}, err
		}
		begins()
		<-ctx.Done()
		return preprocess.Result{}, context.Cause(ctx)
	}}
	_, temp := f.converting(c, 2, nil)
	id := f.placeConverted(f.file("a.lif"), f.file("b.lif"))
	<-running
	require.NoError(t, f.store.Cancel(t.Context(), id))
	require.Equal(t, "The order was cancelled.", f.await(id, 1).Description)
	require.Eventually(t, func() bool {
		left, err := os.ReadDir(temp)
		return err == nil && len(left) == 0 && c.removed.Load() == 1
	}, 10*time.Second, 5*time.Millisecond)
}

func TestEngine_runsSoManyConvertersAtATime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	running, most := 0, 0
	full := make(chan struct{})
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		mu.Lock()
		running++
		if most = max(most, running); running == 3 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		mu.Unlock()
		<-full // none ends before as many run as may
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		running--
		return made(req)
	}}
	f.converting(c, 3, nil)
	var ids []string
	for i := range 3 {
		var files []string
		for n := range 4 {
			files = append(files, f.file(strconv.Itoa(i)+strconv.Itoa(n)+".lif"))
		}
		ids = append(ids, f.placeConverted(files...))
	}
	for _, id := range ids {
		require.Equal(t, order.Completed, f.await(id, 1).Stage)
	}
	require.Equal(t, 3, most)
}

// Folders and containers are named by the order.
func TestEngine_convertsNothingForWhatIsNoUUID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.converting(&converter{}, 1, nil)
	_, err := f.store.Pool().Exec(t.Context(), `INSERT INTO public.imports_preprocessing (container, input_file, output_folder) VALUES ('c', '{Files}', '/data')`)
	require.NoError(t, err)
	for _, id := range []string{"../../x", "{00000000000040008000000000000000}"} {
		_, err := f.store.Pool().Exec(t.Context(), `INSERT INTO public.imports
			(group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
			SELECT 'Demo', 'ada', '151', 'Dataset', 'Import Pending', $1, $2, max(id) FROM public.imports_preprocessing`, id, order.EncodePaths([]string{f.file("a.lif")}))
		require.NoError(t, err)
		require.Contains(t, f.await(id, 1).Description, "is no UUID")
	}
}

// What is converted takes no worker from what is only imported, however much of it
// there is; and what finds no place comes back.
func TestEngine_importsOthersWhileItConverts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	imported := make(chan struct{})
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		<-imported
		return made(req)
	}}
	f.converting(c, 1, nil)
	var converted []string
	for i := range 20 { // sixteen find a place
		converted = append(converted, f.placeConverted(f.file(strconv.Itoa(i)+".lif")))
	}
	waits := func() (n int) {
		require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM importer.orders
			WHERE state = 'queued' AND reason = 'All converters are at work for other orders.' AND tries = 0`).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return waits() == 4 }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, order.Completed, f.await(f.place(f.file("plain.tif")), 1).Stage)
	close(imported)
	require.Eventually(t, func() bool { // some may come back to no place once more
		_, err := f.store.Pool().Exec(t.Context(), `UPDATE importer.orders SET due_at = clock_timestamp() WHERE state = 'queued'`)
		require.NoError(t, err)
		var left int
		require.NoError(t, f.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM importer.orders WHERE state IN ('queued', 'running')`).Scan(&left))
		return left == 0
	}, 30*time.Second, 5*time.Millisecond)
	for _, id := range converted {
		require.Equal(t, order.Completed, f.await(id, 1).Stage)
	}
}
