package preprocess_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

// newRequest asks for a file x.tif to be converted.
func newRequest(t *testing.T) preprocess.Request {
	t.Helper()
	dir := t.TempDir()
	share := filepath.Join(dir, "share")
	require.NoError(t, os.MkdirAll(filepath.Join(share, "in"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(share, "in/x.tif"), []byte("input"), 0o644))
	const order = "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a01"
	return preprocess.Request{
		Order: order, Share: share, Path: filepath.Join(share, "in/x.tif"), Image: "localhost/converter",
		InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out", Temp: filepath.Join(dir, "temp", order, "0"),
	}
}

func open(t *testing.T, req preprocess.Request) *preprocess.Work {
	t.Helper()
	work, err := preprocess.Open(req)
	require.NoError(t, err)
	t.Cleanup(work.Close)
	return work
}

// put makes a file in one of the work's mounts: 1 is the partial folder, 2 that for copies.
func put(t *testing.T, work *preprocess.Work, mount int, name, text string) {
	t.Helper()
	path := filepath.Join(work.Mounts()[mount].Source, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// converted is work whose converter made files in both folders and named them.
func converted(t *testing.T, req preprocess.Request, names ...string) (*preprocess.Work, *preprocess.Output) {
	t.Helper()
	work := open(t, req)
	_, err := work.Begin()
	require.NoError(t, err)
	var items []map[string]any
	for _, name := range names {
		put(t, work, 1, name, "pixels of "+name)
		put(t, work, 2, name, "pixels of "+name)
		items = append(items, map[string]any{"full_path": "/data/.processed/" + name, "alt_path": "/out/" + name})
	}
	return work, answers(t, items)
}

func answers(t *testing.T, items any) *preprocess.Output {
	t.Helper()
	text, err := json.Marshal(items)
	require.NoError(t, err)
	output := preprocess.NewOutput(preprocess.Watch{})
	fmt.Fprintln(output.Writer(preprocess.Stdout), string(text))
	return output
}

// tree is what is below a folder: names with contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if entry.Type()&os.ModeSymlink != 0 {
			found[name], err = os.Readlink(path)
			return err
		}
		text, err := os.ReadFile(path)
		found[name] = string(text)
		return err
	}))
	return found
}

func TestFinish_neverReplaces(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	processed := filepath.Join(req.Share, "in/.processed")
	require.NoError(t, os.MkdirAll(processed, 0o755))
	for _, name := range []string{"a.ome.tiff", "b.tif", "b.6f1d3a52.tif"} {
		require.NoError(t, os.WriteFile(filepath.Join(processed, name), []byte("of an image"), 0o644))
	}
	work, output := converted(t, req, "a.ome.tiff", "b.tif", "c", "sub/a.ome.tiff")
	put(t, work, 1, "a.companion", "not named")
	put(t, work, 2, "a.companion", "not named")
	put(t, work, 1, "log.txt", "only what stays")
	put(t, work, 1, "b.zarr/.zattrs", "{}")
	put(t, work, 1, "b.zarr/0/0", "pixels")
	put(t, work, 1, "empty.zarr/.zattrs", "")
	put(t, work, 1, "empty", "")
	put(t, work, 1, ".hidden", "hidden")
	result, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	work.Close()
	published := make([]string, len(result.Items))
	for i, item := range result.Items {
		published[i] = strings.TrimPrefix(item.Published, processed+"/")
	}
	require.Equal(t, []string{"a.6f1d3a52.ome.tiff", "b.6f1d3a52-2.tif", "c", "sub/a.ome.tiff"}, published)
	require.Len(t, result.Moves, 6, "four items, a file that was not named, and the folder of all")
	require.Empty(t, result.Moves[5].To)
	require.NoError(t, preprocess.CleanUp(t.Context(), req))
	require.NoError(t, preprocess.CleanUp(t.Context(), req))
	require.Equal(t, map[string]string{
		"a.ome.tiff": "of an image", "b.tif": "of an image", "b.6f1d3a52.tif": "of an image",
		"a.6f1d3a52.ome.tiff": "pixels of a.ome.tiff", "b.6f1d3a52-2.tif": "pixels of b.tif", "c": "pixels of c",
		"sub/a.ome.tiff": "pixels of sub/a.ome.tiff", "a.companion": "not named", "log.txt": "only what stays",
		"b.zarr/.zattrs": "{}", "b.zarr/0/0": "pixels",
	}, tree(t, processed))
	require.NoDirExists(t, filepath.Dir(req.Temp))
}

// Whatever was published when the agent died, the next one publishes the rest, also when
// a name was taken meanwhile.
func TestResume_publishesTheRest(t *testing.T) {
	t.Parallel()
	for n := range 8 { // a bit for each file: whether it was published
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			req := newRequest(t)
			processed := filepath.Join(req.Share, "in/.processed")
			names := []string{"a.ome.tiff", "sub/b.tif", "c.zarr"}
			work, output := converted(t, req, names[:2]...)
			put(t, work, 1, "c.zarr/0", "pixels")
			first, err := work.Finish(t.Context(), "image", "sha256:1", output)
			require.NoError(t, err)
			partial := work.Mounts()[1].Source
			for i, name := range names {
				if n&(1<<i) == 0 {
					require.NoError(t, os.Rename(filepath.Join(processed, name), filepath.Join(partial, name)))
				}
			}
			taken := n&1 == 0
			if taken {
				require.NoError(t, os.WriteFile(filepath.Join(processed, "a.ome.tiff"), []byte("another's"), 0o644))
			}
			work.Close()
			for range 2 {
				work = open(t, req)
				result, err := work.Resume(t.Context())
				require.NoError(t, err)
				require.NotNil(t, result)
				if taken {
					require.Equal(t, filepath.Join(processed, "a.6f1d3a52.ome.tiff"), result.Items[0].Published)
					require.Equal(t, result.Items[0].Published, result.Moves[0].To)
				} else {
					require.Equal(t, first, result)
				}
				for _, item := range result.Items {
					require.FileExists(t, item.Published)
					require.FileExists(t, item.Import)
				}
				work.Close()
			}
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
		})
	}
}

func TestResume_isOfTheSameRequest(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, output := converted(t, req, "a.tif")
	_, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	work.Close()
	req.Params = map[string]any{"x": 1}
	work = open(t, req)
	result, err := work.Resume(t.Context())
	require.NoError(t, err)
	require.Nil(t, result)
	run, err := work.Run()
	require.NoError(t, err)
	require.Empty(t, run)
}

func TestResume_saysWhatIsGone(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, output := converted(t, req, "a.tif")
	result, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	require.NoError(t, os.Remove(result.Items[0].Published))
	var fault *preprocess.Error
	_, err = work.Resume(t.Context())
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "is gone")
}

func TestBegin_removesTheRunBefore(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, _ := converted(t, req, "a.tif")
	before := work.Mounts()
	_, err := work.Begin()
	require.NoError(t, err)
	for i, mount := range work.Mounts()[1:] {
		require.NoDirExists(t, before[i+1].Source)
		require.DirExists(t, mount.Source)
		require.True(t, mount.Writable)
	}
	require.False(t, work.Mounts()[0].Writable)
	require.NoError(t, work.Verify())
	_, err = preprocess.Open(req)
	require.ErrorIs(t, err, preprocess.ErrBusy)
}

// Nothing is made, published or removed through what somebody put in the place of a folder.
func TestWork_whereOthersChangeTheShare(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(t *testing.T, processed, partial, outside string){
		"the processed folder is a link": func(t *testing.T, processed, _, outside string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(processed))
			require.NoError(t, os.Symlink(outside, processed))
		},
		"the partial folder is a link": func(t *testing.T, _, partial, outside string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(partial))
			require.NoError(t, os.Symlink(outside, partial))
		},
		"a folder to publish into is a link": func(t *testing.T, processed, _, outside string) {
			t.Helper()
			require.NoError(t, os.Symlink(outside, filepath.Join(processed, "sub")))
		},
		"the input's folder is a link": func(t *testing.T, processed, _, outside string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(filepath.Dir(processed)))
			require.NoError(t, os.Symlink(outside, filepath.Dir(processed)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t)
			outside := t.TempDir()
			for _, file := range []string{"x.tif", "sub/a.tif", ".processed/sub/a.tif"} {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(outside, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(outside, file), []byte("secret"), 0o644))
			}
			before := tree(t, outside)
			work, output := converted(t, req, "sub/a.tif")
			mounts := work.Mounts()
			plant(t, filepath.Dir(mounts[1].Source), mounts[1].Source, outside)
			if name != "a folder to publish into is a link" {
				require.Error(t, work.Verify())
			}
			_, err := work.Finish(t.Context(), "image", "sha256:1", output)
			require.Error(t, err)
			work.Close()
			if work, err := preprocess.Open(req); err == nil {
				if _, err = work.Resume(t.Context()); err == nil {
					_, err = work.Begin()
				}
				_ = err
				work.Close()
			}
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
			require.Equal(t, before, tree(t, outside))
		})
	}
}

func TestOpen_refusesWhatIsOutside(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	req.Path = filepath.Join(req.Share, "../x.tif")
	var fault *preprocess.Error
	_, err := preprocess.Open(req)
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "lies outside")
	require.NoDirExists(t, req.Temp)
	require.NoError(t, preprocess.CleanUp(t.Context(), req))
	req.Order = "../../x"
	_, err = preprocess.Open(req)
	require.ErrorContains(t, err, "no input of an order")
}

// Whoever waits for the lock of a folder that is removed meanwhile does not work beside
// whoever makes the next one.
func TestOpen_isForOneAtATime(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	var callers sync.WaitGroup
	var working atomic.Int32
	for range 4 {
		callers.Go(func() {
			for range 500 {
				work, err := preprocess.Open(req)
				if err != nil {
					continue
				}
				if working.Add(1) != 1 {
					t.Error("two work at one input")
				}
				runtime.Gosched()
				working.Add(-1)
				work.Close()
				_ = preprocess.CleanUp(t.Context(), req)
			}
		})
	}
	callers.Wait()
	require.NoError(t, preprocess.CleanUp(t.Context(), req))
}

func TestFinish_refusesNamesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, output := converted(t, req, "a.tif")
	put(t, work, 1, "b\xff.tif", "not named")
	_, err := work.Finish(t.Context(), "image", "sha256:1", output)
	var fault *preprocess.Error
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "not in UTF-8")
	require.NoFileExists(t, filepath.Join(req.Share, "in/.processed/a.tif"))
}

func TestFinish_shortensNames(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	name := strings.Repeat("ä", 123) + ".ome.tiff"
	require.Len(t, name, 255)
	processed := filepath.Join(req.Share, "in/.processed")
	require.NoError(t, os.MkdirAll(processed, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(processed, name), []byte("of an image"), 0o644))
	work, output := converted(t, req, name)
	result, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(processed, strings.Repeat("ä", 118)+".6f1d3a52.ome.tiff"), result.Items[0].Published)
}

// A file that no item names and whose copy is another one has no copy to be linked in its place.
func TestFinish_takesNoOtherFileForACopy(t *testing.T) {
	t.Parallel()
	work, output := converted(t, newRequest(t), "a.tif")
	put(t, work, 1, "b", "what stays")
	put(t, work, 2, "b", "something else")
	result, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	require.Len(t, result.Moves, 2, "of a.tif, and the folder of all")
	require.FileExists(t, filepath.Join(filepath.Dir(result.Items[0].Published), "b"))
}

// A reason is a sentence, whatever a converter writes.
func TestFinish_givesAReasonToRead(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/data/.processed" + strings.Repeat("/x", 1_000_000), "/data/.processed/\x1b[31m\n\x00", "/data/.processed/" + strings.Repeat("x", 1_000_000)} {
		work, _ := converted(t, newRequest(t), "a.tif")
		_, err := work.Finish(t.Context(), "image", "sha256:1", answers(t, []map[string]any{{"full_path": path}}))
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault)
		require.Less(t, len(fault.Reason), 2000)
		require.NotContains(t, fault.Reason, "\n")
		require.NotContains(t, fault.Reason, "\x1b")
	}
}

// The paths of all files are kept in memory, and each may be very long.
func TestFinish_boundsPaths(t *testing.T) {
	t.Parallel()
	work, output := converted(t, newRequest(t), "a.tif")
	dir, err := os.OpenRoot(work.Mounts()[1].Source)
	require.NoError(t, err)
	for range 60 {
		name := strings.Repeat("d", 250)
		require.NoError(t, dir.Mkdir(name, 0o755))
		below, err := dir.OpenRoot(name)
		require.NoError(t, err)
		require.NoError(t, dir.Close())
		dir = below
	}
	for i := range 1200 {
		require.NoError(t, dir.WriteFile(strconv.Itoa(i), []byte("x"), 0o644))
	}
	require.NoError(t, dir.Close())
	_, err = work.Finish(t.Context(), "image", "sha256:1", output)
	var fault *preprocess.Error
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "longer than 16 MiB together")
}

func TestBegin_removesTheRunBeforeOfAnotherFolder(t *testing.T) {
	t.Parallel()
	req := newRequest(t)
	work, _ := converted(t, req, "a.tif")
	work.Close()
	before := work.Mounts()[1].Source
	require.DirExists(t, before)
	req.Path = filepath.Join(req.Share, "elsewhere/x.tif")
	require.NoError(t, os.Mkdir(filepath.Dir(req.Path), 0o755))
	converted(t, req, "a.tif")
	require.NoDirExists(t, before)
}

// OMERO reads what was converted as another user, also where a service's umask is strict.
// That is the whole process's, so that one of its own has to try.
func TestFinish_letsOthersRead(t *testing.T) {
	t.Parallel()
	if os.Getenv("BIOMERO_TEST_UMASK") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "BIOMERO_TEST_UMASK=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	req := newRequest(t)
	syscall.Umask(0o077)
	work, output := converted(t, req, "sub/a.tif")
	result, err := work.Finish(t.Context(), "image", "sha256:1", output)
	require.NoError(t, err)
	item := result.Items[0]
	for _, path := range []string{
		item.Published, filepath.Dir(item.Published), filepath.Dir(filepath.Dir(item.Published)),
		item.Import, filepath.Dir(item.Import), filepath.Dir(filepath.Dir(item.Import)), req.Temp, filepath.Dir(req.Temp), filepath.Dir(filepath.Dir(req.Temp)),
	} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o044), info.Mode()&0o044, path)
	}
}
