package repository_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

// memory is a catalog of this process.
type memory struct {
	mu       sync.Mutex
	next     int64
	user     int64
	prefixes map[string]bool
	filesets map[string]repository.Fileset // order + source
	refused  int
}

func (m *memory) User(context.Context, string) (int64, error) { return m.user, nil }

func (m *memory) Container(context.Context, importer.Container) (int64, error) { return 1, nil }

func (m *memory) Record(_ context.Context, i repository.Import) ([]repository.Fileset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prefixes[i.Prefix] || i.UserID != m.user {
		m.refused++
		return nil, repository.ErrPrefixTaken
	}
	var list []repository.Fileset
	for _, s := range i.Sources {
		f, ok := m.filesets[i.Order+s.Path]
		if !ok {
			m.prefixes[i.Prefix] = true
			m.next++
			f = repository.Fileset{Source: s.Path, ID: m.next, Link: i.Prefix + "/" + s.Link}
			for range s.Images {
				m.next++
				f.Images = append(f.Images, m.next)
			}
			for range s.Plates {
				m.next++
				f.Plates = append(f.Plates, m.next)
			}
			m.filesets[i.Order+s.Path] = f
		}
		list = append(list, f)
	}
	return list, nil
}

func (m *memory) Links(_ context.Context, order string) (links []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, f := range m.filesets {
		if strings.HasPrefix(key, order) {
			links = append(links, f.Link)
		}
	}
	return links, nil
}

type fixture struct {
	*repository.Repository
	catalog   *memory
	data, dir string
}

// noon is a fixed clock: every import falls into one millisecond.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T) fixture {
	t.Helper()
	data, dir := t.TempDir(), filepath.Join(t.TempDir(), "repository")
	share, err := importer.OpenShare(data)
	require.NoError(t, err)
	catalog := &memory{user: 7, prefixes: map[string]bool{}, filesets: map[string]repository.Fileset{}}
	r, err := repository.Open(repository.Config{Dir: dir}, share, catalog, noon)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, share.Close())
	})
	return fixture{Repository: r, catalog: catalog, data: data, dir: dir}
}

func (f fixture) write(t *testing.T, names ...string) []string {
	t.Helper()
	var paths []string
	for _, name := range names {
		path := filepath.Join(f.data, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("pixels of "+name), 0o644))
		paths = append(paths, path)
	}
	return paths
}

// links is every symlink in the repository with its target, below the prefix's day.
func (f fixture) links(t *testing.T) map[string]string {
	t.Helper()
	links := map[string]string{}
	require.NoError(t, filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type() == os.ModeSymlink {
			target, err := os.Readlink(path)
			require.NoError(t, err)
			links[strings.TrimPrefix(path, f.dir+"/")] = target
		}
		return err
	}))
	return links
}

func (f fixture) request(order string, files ...string) importer.Request {
	var list []importer.File
	for _, file := range files {
		list = append(list, importer.File{Path: file})
	}
	return importer.Request{
		Order: importer.Order{UUID: order, User: "ada", Group: "Demo", Type: importer.Dataset, Container: 1}, Files: list, Parent: f.data,
	}
}

func TestImport_links_files_at_the_template_path(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif", "sub/a.tif", `od:d "na*me".tif`)
	results, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	for _, r := range results {
		require.NoError(t, r.Err)
		require.Len(t, r.Filesets, 1)
		require.Len(t, r.Images, 1)
	}
	const prefix = "ada_7/2026-11/23/12-00-00.000/"
	require.Equal(t, map[string]string{
		prefix + "a.tif": files[0], prefix + "sub/a.tif": files[1], prefix + "od;d 'naxme'.tif": files[2],
	}, f.links(t))
}

func TestImport_linksFilesOfFoldersInTurn(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a/1.tif", "a/2.tif", "a/3.tif", "b/1.tif", "a/4.tif", "a/b/1.tif", "a/b/2.tif", "c.tif", "d.tif")
	for range 2 { // the second time they are there
		_, err := f.Import(t.Context(), f.request("o1", files...))
		require.NoError(t, err)
		var want []string
		for _, file := range files {
			want = append(want, "ada_7/2026-11/23/12-00-00.000"+strings.TrimPrefix(file, f.data))
		}
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(f.links(t))))
	}
}

// The folder of a day may be moved or deleted while the repository is open.
func TestImport_makesLinksWhereTheirDayIsNow(t *testing.T) {
	t.Parallel()
	f := open(t)
	file := f.write(t, "a.tif")[0]
	day := filepath.Join(f.dir, "ada_7", "2026-11", "23")
	link := func(order, user string) {
		req := f.request(order, file)
		req.User = user
		results, err := f.Import(t.Context(), req)
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
	}
	link("o1", "ada")
	require.NoError(t, os.Rename(day, filepath.Join(f.dir, "moved")))
	link("o2", "ada")
	require.NoError(t, os.RemoveAll(day))
	link("o3", "ada")
	link("o4", "bob")
	link("o5", "ada")
	require.ElementsMatch(t, []string{
		"moved/12-00-00.000/a.tif", "ada_7/2026-11/23/12-00-00.002/a.tif", "bob_7/2026-11/23/12-00-00.003/a.tif",
		"ada_7/2026-11/23/12-00-00.004/a.tif",
	}, slices.Collect(maps.Keys(f.links(t))))
}

// What stands in the way of an import's own folder is not followed, and not the fault of a
// file: it may be tried again.
func TestImport_whereItsFolderCannotBeMade(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	link := func(path string) error { return os.Symlink(outside, path) }
	file := func(path string) error { return os.WriteFile(path, []byte("not a folder"), 0o600) }
	for name, obstacle := range map[string]struct {
		at   string
		make func(path string) error
	}{
		"a link for a month":  {"ada_7/2026-11", link},
		"a link for a day":    {"ada_7/2026-11/23", link},
		"a link for a moment": {"ada_7/2026-11/23/12-00-00.000", link},
		"a file for a month":  {"ada_7/2026-11", file},
		"a file for a day":    {"ada_7/2026-11/23", file},
		"a file for a moment": {"ada_7/2026-11/23/12-00-00.000", file},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			at := filepath.Join(f.dir, obstacle.at)
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o750))
			require.NoError(t, obstacle.make(at))
			results, err := f.Import(t.Context(), f.request("o1", f.write(t, "a.tif", "sub/b.tif")...))
			require.NoError(t, err)
			for _, result := range results {
				require.ErrorContains(t, result.Err, "opening the folder of ada_7/2026-11/23/12-00-00.000/")
				_, blamed := errors.AsType[*importer.Error](result.Err)
				require.False(t, blamed)
			}
			left, err := os.ReadDir(outside)
			require.NoError(t, err)
			require.Empty(t, left)

			require.NoError(t, os.Remove(at))
			results, err = f.Import(t.Context(), f.request("o1", filepath.Join(f.data, "a.tif")))
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
		})
	}
}

// OMERO's server reads what is made here.
func TestImport_makesFoldersThatOthersRead(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif", "sub/a.tif")
	for _, order := range []string{"first of the day", "second"} {
		_, err := f.Import(t.Context(), f.request(order, files...))
		require.NoError(t, err)
	}
	like := filepath.Join(t.TempDir(), "like")
	require.NoError(t, os.Mkdir(like, 0o755))
	want, err := os.Stat(like)
	require.NoError(t, err)
	for _, folder := range []string{"ada_7", "ada_7/2026-11/23/12-00-00.000/sub", "ada_7/2026-11/23/12-00-00.001", "ada_7/2026-11/23/12-00-00.001/sub"} {
		info, err := os.Stat(filepath.Join(f.dir, folder))
		require.NoError(t, err)
		require.Equal(t, want.Mode(), info.Mode(), folder)
	}
}

// Not beside other tests: these open files too.
func TestImport_leavesNoFileOpen(t *testing.T) { //nolint:paralleltest // see above
	f := open(t)
	files := f.write(t, "a.tif", "sub/b.tif", "a!/c.tif", "a|")
	carryOut := func(order string) {
		results, err := f.Import(t.Context(), f.request(order, files...))
		require.NoError(t, err)
		require.NoError(t, results[1].Err)
		require.Error(t, results[3].Err)
	}
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	carryOut("first")
	before := open()
	for n := range 20 {
		carryOut(strconv.Itoa(n))
	}
	require.Equal(t, before, open())
}

func TestImport_repeated_makes_nothing_new(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif", "b.tif")
	first, err := f.Import(t.Context(), f.request("o1", files[0]))
	require.NoError(t, err)
	both, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	require.Equal(t, first[0], both[0])
	require.Len(t, f.links(t), 2)
}

func TestImport_restores_a_link_lost_in_a_crash(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif")
	_, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	for link := range f.links(t) {
		require.NoError(t, os.Remove(filepath.Join(f.dir, link)))
	}
	_, err = f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	require.Len(t, f.links(t), 1)
}

func TestImport_in_one_millisecond_does_not_collide(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			results, err := f.Import(t.Context(), f.request(string(rune('a'+i)), files...))
			if err != nil || results[0].Err != nil {
				t.Error(err, results)
			}
		})
	}
	wg.Wait()
	require.Len(t, f.links(t), 50)
}

// A server that took over may have given the user another id, and the former one to
// somebody else.
func TestImport_asks_again_for_a_user_whose_id_has_changed(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "Demo/a.tif", "Demo/b.tif")
	_, err := f.Import(t.Context(), f.request("o1", files[0]))
	require.NoError(t, err)
	f.catalog.user = 8
	_, err = f.Import(t.Context(), f.request("o2", files[1]))
	require.NoError(t, err)
	var folders []string
	for link := range f.links(t) {
		folder, _, _ := strings.Cut(link, "/")
		folders = append(folders, folder)
	}
	require.ElementsMatch(t, []string{"ada_7", "ada_8"}, folders)
}

func TestImport_folder_gives_a_fileset_per_file(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.write(t, "plate/a.tif", "plate/deep/b.tif", "plate/.hidden/c.tif", "plate/img.ome.zarr/0/0")
	require.NoError(t, os.WriteFile(filepath.Join(f.data, "plate/img.ome.zarr/.zattrs"), []byte(`{"multiscales":[{}]}`), 0o644))
	results, err := f.Import(t.Context(), f.request("o1", filepath.Join(f.data, "plate")))
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.Len(t, results[0].Filesets, 3)
	require.Len(t, f.links(t), 3)
}

func TestImport_refuses_a_Zarr_that_holds_links(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.write(t, "x.zarr/0/0")
	zarr := filepath.Join(f.data, "x.zarr")
	require.NoError(t, os.WriteFile(filepath.Join(zarr, ".zattrs"), []byte(`{"multiscales":[{}]}`), 0o644))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(zarr, "0", "1")))
	results, err := f.Import(t.Context(), f.request("o1", zarr))
	require.NoError(t, err)
	require.ErrorContains(t, results[0].Err, "holds the link")
	require.Empty(t, f.links(t))
}

func TestImport_one_bad_file_leaves_the_others(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif", "x.ome.zarr/.zattrs")
	plate := filepath.Join(f.data, "x.ome.zarr")
	require.NoError(t, os.WriteFile(filepath.Join(plate, ".zattrs"), []byte(`{"plate":{"wells":[{"path":"."}]},"well":{"images":[{"path":"0"}]}}`), 0o644))
	results, err := f.Import(t.Context(), f.request("o1", files[0], filepath.Join(f.data, "missing"), plate))
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.ErrorContains(t, results[1].Err, "There is no file")
	require.ErrorContains(t, results[2].Err, "choose a Screen")
	require.Len(t, f.links(t), 1)
}

func TestImport_keeps_apart_names_that_sanitise_alike(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a:b.tif", "a;b.tif")
	results, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.NoError(t, results[1].Err)
	require.Len(t, f.links(t), 2)
}

func TestImport_tells_of_names_that_cannot_stand_together(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a|", "a!/b.tif")
	results, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.ErrorContains(t, results[1].Err, "rename it")
}

func TestImport_of_a_hostile_user_stays_inside(t *testing.T) {
	t.Parallel()
	f := open(t)
	files := f.write(t, "a.tif")
	req := f.request("o1", files...)
	req.User = "../../etc"
	results, err := f.Import(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.Contains(t, f.links(t), "..!..!etc_7/2026-11/23/12-00-00.000/a.tif")
}

// Agents that import for one user at the same moments get out of each other's way.
func TestImport_beside_another_process(t *testing.T) {
	t.Parallel()
	f := open(t)
	share, err := importer.OpenShare(f.data)
	require.NoError(t, err)
	other, err := repository.Open(repository.Config{Dir: f.dir}, share, f.catalog, noon)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, other.Close())
		require.NoError(t, share.Close())
	})
	file := f.write(t, "a.tif")[0]
	for i := range 100 {
		for of, r := range []*repository.Repository{f.Repository, other} {
			results, err := r.Import(t.Context(), f.request(fmt.Sprint("order", i, "of", of), file))
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
		}
	}
	require.Equal(t, 1, f.catalog.refused)
	require.Len(t, f.links(t), 200)
	require.Contains(t, f.links(t), "ada_7/2026-11/23/12-00-00.099/a.tif", "as OMERO's template has it")
}

// What has a temporary copy is linked to that while it is there, and a link that was
// redirected since is left alone.
func TestImport_fromATemporaryCopy(t *testing.T) {
	t.Parallel()
	f := open(t)
	stays := f.write(t, "out.ome.tiff")[0]
	copied := filepath.Join(t.TempDir(), "copy.ome.tiff")
	require.NoError(t, os.WriteFile(copied, []byte("pixels"), 0o600))
	req := f.request("o1", stays)
	req.Files[0].Copy, req.Files[0].Name = copied, "Retina"
	link := func() string {
		results, err := f.Import(t.Context(), req)
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
		require.Len(t, results[0].Folders, 1)
		folders, err := f.Folders(t.Context(), req.Order)
		require.NoError(t, err)
		require.Equal(t, results[0].Folders, folders)
		return filepath.Join(folders[0], "out.ome.tiff")
	}
	at := link()
	target, err := os.Readlink(at)
	require.NoError(t, err)
	require.Equal(t, copied, target)
	require.Equal(t, at, link(), "once more")

	require.NoError(t, os.Remove(at))
	require.NoError(t, os.Symlink(stays, at)) // redirected
	require.NoError(t, os.Remove(copied))
	require.Equal(t, at, link())
	target, err = os.Readlink(at)
	require.NoError(t, err)
	require.Equal(t, stays, target)

	require.NoError(t, os.Remove(at))
	require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "gone"), at)) // to the copy of an earlier conversion
	require.Equal(t, at, link())
	target, err = os.Readlink(at)
	require.NoError(t, err)
	require.Equal(t, stays, target)

	req = f.request("o2", stays)
	req.Files[0].Copy = copied // which is gone before it was ever linked to
	results, err := f.Import(t.Context(), req)
	require.NoError(t, err)
	target, err = os.Readlink(filepath.Join(results[0].Folders[0], "out.ome.tiff"))
	require.NoError(t, err)
	require.Equal(t, stays, target)
	none, err := f.Folders(t.Context(), importer.Order{UUID: "nobody"})
	require.NoError(t, err)
	require.Empty(t, none)
}
