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

// around is a repository whose imports a test has a hand in.
type around struct {
	*repository.Repository

	dir     string
	imports func(ctx context.Context, req importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error)
}

func (a *around) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	return a.imports(ctx, req, func() ([]importer.Result, error) { return a.Repository.Import(ctx, req) })
}

func (f *fixture) around(imports func(ctx context.Context, req importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error)) *around {
	f.t.Helper()
	dir := f.t.TempDir()
	repo, err := repository.Open(repository.Config{Dir: dir}, f.share, f.store.Catalog(), time.Now)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, repo.Close()) })
	return &around{repo, dir, imports}
}

// sound makes sure that every link leads somewhere, and of how many images.
func (f *fixture) sound(a *around, images int) {
	f.t.Helper()
	require.NoError(f.t, filepath.WalkDir(a.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type()&fs.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			require.FileExists(f.t, path, target)
			require.Contains(f.t, target, "/.processed/")
		}
		return err
	}))
	var n int
	require.NoError(f.t, f.store.Pool().QueryRow(f.t.Context(), `SELECT count(*) FROM importer.repository_images`).Scan(&n))
	require.Equal(f.t, images, n)
}

// However an order ends, what it has imported does not lead into a temporary folder.
func TestEngine_redirectsWhatWasImportedWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]bool{"the import is answered": true, "its answer is lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			b := f.around(func(ctx context.Context, req importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
				results, err := imp()
				if cancelled := f.store.Cancel(context.WithoutCancel(ctx), req.UUID); cancelled != nil {
					return nil, cancelled
				}
				<-ctx.Done()
				if !answered {
					return nil, ctx.Err()
				}
				return results, err
			})
			_, temp := f.converting(&converter{}, 2, b)
			id := f.placeConverted(f.file("a.lif"))
			st := f.await(id, 1)
			require.NoDirExists(t, filepath.Join(temp, id))
			f.sound(b, 1)
			if answered {
				require.Equal(t, "The order was cancelled after 1 of 1 files had been imported.", st.Description)
			}
		})
	}
}

func TestEngine_redirectsTheOtherItemsOfOneThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (all preprocess.Result, err error) {
		for req.Input = range 3 {
			one, err := made(req)
			if err != nil {
				return all, err
			}
			all.Image, all.Digest, all.Items, all.Moves = one.Image, one.Digest, append(all.Items, one.Items...), append(all.Moves, one.Moves...)
		}
		return all, nil
	}}
	b := f.around(func(_ context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		results, err := imp()
		if err == nil {
			results[0] = importer.Result{Err: &importer.Error{Reason: "The format is not known."}}
		}
		return results, err
	})
	f.converting(c, 2, b)
	require.Equal(t, "The format is not known.", f.await(f.placeConverted(f.file("a.lif")), 1).Description)
	f.sound(b, 3)
}

// A client may change the converter between two tries: what was made for this attempt,
// and may be imported, stands.
func TestEngine_importsOnceThoughItsConverterChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var tries atomic.Int64
	b := f.around(func(ctx context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		results, err := imp()
		if tries.Add(1) > 1 {
			return results, err
		}
		_, err = f.store.Pool().Exec(ctx, `UPDATE public.imports_preprocessing SET container = 'lab/converter:v2'`)
		return nil, errors.Join(err, errors.New("the connection broke off after the import"))
	})
	f.converting(&converter{}, 2, b)
	require.Equal(t, order.Completed, f.await(f.placeConverted(f.file("a.lif")), 1).Stage)
	f.sound(b, 1)
}

// Somebody may remove what a converter made before links lead there: a retry makes it anew.
func TestEngine_convertsAnewWhatIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var tries atomic.Int64
	b := f.around(func(_ context.Context, req importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		results, err := imp()
		if tries.Add(1) == 1 {
			err = errors.Join(err, os.Remove(req.Files[0].Path))
		}
		return results, err
	})
	f.converting(&converter{}, 2, b)
	id := f.placeConverted(f.file("a.lif"))
	require.Contains(t, f.await(id, 1).Description, "cannot be linked to")
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	f.sound(b, 1)
}

func TestEngine_triesNoFileAgainThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var bad atomic.Int64
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if filepath.Base(req.Path) == "bad.lif" {
			bad.Add(1)
			return preprocess.Result{}, &preprocess.Error{Reason: "The converter ended with status 3."}
		}
		return preprocess.Result{}, errors.New("statfs /srv/lab7: host is down")
	}}
	f.converting(c, 2, nil)
	st := f.await(f.placeConverted(f.file("bad.lif"), f.file("flaky.lif")), 1)
	require.EqualValues(t, 1, bad.Load())
	require.Equal(t, "The converter ended with status 3.", st.Files[0].Reason)
	require.Equal(t, "The import was tried 5 times and did not succeed; the importer's log for this order says why.", st.Files[1].Reason)
}

// killer removes containers as podman does, which takes its time.
type killer struct {
	converter
	mu     sync.Mutex
	live   map[string]func()
	killed atomic.Int64
}

func (k *killer) Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
	if err := os.MkdirAll(req.Temp, 0o700); err != nil {
		return preprocess.Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	k.live[req.Order] = cancel
	k.mu.Unlock()
	return k.converter.Run(ctx, req, watch)
}

func (k *killer) Remove(_ context.Context, order string) error {
	time.Sleep(100 * time.Millisecond)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live[order]()
	return nil
}

// The next attempt may wait for the end of this one, and its containers are its own.
func TestEngine_endsAnAttemptBeforeTheNextBegins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var runs atomic.Int64
	asked := make(chan struct{})
	k := &killer{live: map[string]func(){}}
	k.run = func(ctx context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if runs.Add(1) == 1 {
			<-asked
			return preprocess.Result{}, errors.New("it passes")
		}
		if ctx.Err() != nil {
			k.killed.Add(1)
		}
		return made(req)
	}
	repo := f.around(func(_ context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		return imp()
	})
	f.start(engine.Config{Conversions: engine.Conversions{Converter: k, Workers: 2, Temp: t.TempDir(), Processed: ".processed"}}, repo)
	id := f.placeConverted(f.file("a.lif"))
	require.Eventually(t, func() bool { return runs.Load() == 1 }, 30*time.Second, time.Millisecond)
	_, err := f.store.Pool().Exec(t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
		SELECT group_name, user_name, destination_id, destination_type, 'Import Pending', uuid, files, preprocessing_id FROM public.imports WHERE uuid = $1 LIMIT 1`, id)
	require.NoError(t, err)
	require.NoError(t, f.store.Cancel(t.Context(), id))
	close(asked)
	f.await(id, 1)
	require.NoError(t, f.store.Retry(t.Context(), id, false))
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	require.Zero(t, k.killed.Load())
}

// A row that names no converter any more has its containers and folders removed as well.
func TestEngine_removesConversionsOfARowThatLostItsConverter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &converter{run: func(ctx context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		err := os.MkdirAll(req.Temp, 0o700)
		_, gone := f.store.Pool().Exec(ctx, `UPDATE public.imports SET preprocessing_id = NULL`)
		return preprocess.Result{}, errors.Join(err, gone, errors.New("it passes"))
	}}
	_, temp := f.converting(c, 2, nil)
	id := f.placeConverted(f.file("a.lif"))
	f.await(id, 1)
	require.NoDirExists(t, filepath.Join(temp, id))
	require.EqualValues(t, 1, c.removed.Load())
}

func TestEngine_wantsAResultForEachItem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.converting(&converter{}, 2, backend(func(context.Context, importer.Request) ([]importer.Result, error) { return nil, nil }))
	require.Equal(t, order.Failed, f.await(f.placeConverted(f.file("a.lif")), 1).Stage)
}

// Refused files leave nothing while others go on.
func TestEngine_cleansUpAfterEachFileThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &converter{run: func(_ context.Context, req preprocess.Request, _ preprocess.Watch) (preprocess.Result, error) {
		if filepath.Base(req.Path) == "last.lif" {
			// That of the one before may be about to go.
			if left, _ := os.ReadDir(filepath.Dir(req.Temp)); len(left) > 1 {
				return preprocess.Result{}, &preprocess.Error{Reason: strconv.Itoa(len(left)) + " folders are left."}
			}
			return made(req)
		}
		if err := os.MkdirAll(req.Temp, 0o700); err != nil {
			return preprocess.Result{}, err
		}
		return preprocess.Result{}, &preprocess.Error{Reason: "It is no image."}
	}}
	_, temp := f.converting(c, 1, nil)
	id := f.placeConverted(f.file("a.lif"), f.file("b.lif"), f.file("c.lif"), f.file("last.lif"))
	st := f.await(id, 1)
	require.Equal(t, "3 of 4 files failed: It is no image.", st.Description)
	require.NoDirExists(t, filepath.Join(temp, id))
}

// An image that never comes keeps no other converter waiting.
func TestEngine_convertsOthersWhileAnImageIsPulled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := &pulling{}
	repo := f.around(func(_ context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		return imp()
	})
	f.start(engine.Config{Conversions: engine.Conversions{Converter: c, Workers: 1, Temp: t.TempDir(), Processed: ".processed"}}, repo)
	slow := f.placeConverted(f.file("slow.lif"))
	require.Eventually(t, func() bool { return c.pulls.Load() > 0 }, 30*time.Second, time.Millisecond)
	require.Equal(t, order.Completed, f.await(f.placeConverted(f.file("a.lif")), 1).Stage)
	require.NoError(t, f.store.Cancel(t.Context(), slow))
	f.await(slow, 1)
}

// pulling is a converter whose image for files named slow never comes.
type pulling struct {
	converter
	pulls atomic.Int64
}

func (p *pulling) Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
	if filepath.Base(req.Path) == "slow.lif" {
		p.pulls.Add(1)
		watch.Pulling("1 of 900 MB")
		<-ctx.Done()
		return preprocess.Result{}, context.Cause(ctx)
	}
	return p.converter.Run(ctx, req, watch)
}

// A backend that refuses after it has imported keeps no link from being led to what stays.
func TestConversion_refusedAfterItsImport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.around(func(_ context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		if _, err := imp(); err != nil {
			return nil, err
		}
		return nil, &importer.Error{Reason: "The user is not in the group any more."}
	})
	f.converting(&converter{}, 2, b)
	require.Equal(t, order.Failed, f.await(f.placeConverted(f.file("a.lif")), 1).Stage)
	f.sound(b, 1)
}

// What a later request asks for makes nothing of earlier links be forgotten.
func TestConversion_linksOfEarlierRounds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.around(func(_ context.Context, _ importer.Request, imp func() ([]importer.Result, error)) ([]importer.Result, error) {
		return imp()
	})
	f.converting(&converter{}, 2, b)
	id := f.placeConverted(f.file("a.lif"))
	require.Equal(t, order.Completed, f.await(id, 1).Stage)
	kept, err := f.store.ConversionResults(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Len(t, kept[0].Folders, 1)
	require.NoError(t, f.store.Retry(t.Context(), id, true))
	require.Equal(t, order.Completed, f.await(id, 2).Stage)
	kept, err = f.store.ConversionResults(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, kept[0].Folders, 2)
}
