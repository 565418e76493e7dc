package repository_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/repository"
)

// rows are what a catalog has of the repository, in the order of Compare.
func (f fixture) rows(t *testing.T) (rows []repository.Row) {
	t.Helper()
	for link, source := range f.links(t) {
		rows = append(rows, repository.Row{Link: link, Source: source, Order: "o1", Imported: true})
	}
	sortRows(rows)
	return rows
}

func sortRows(rows []repository.Row) {
	slices.SortFunc(rows, func(a, b repository.Row) int {
		return slices.Compare(strings.Split(a.Link, "/"), strings.Split(b.Link, "/"))
	})
}

func (f fixture) compare(t *testing.T, rows []repository.Row) (faults []repository.Fault) {
	t.Helper()
	require.NoError(t, repository.Compare(t.Context(), f.dir, sequence(rows), func(found repository.Fault) error {
		faults = append(faults, found)
		return nil
	}))
	return faults
}

func sequence(rows []repository.Row) iter.Seq2[repository.Row, error] {
	return func(yield func(repository.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// prefix is where the import at noon lies.
const prefix = "ada_7/2026-11/23/12-00-00.000/"

// imported is a repository whose names sort differently as paths and as folders.
func imported(t *testing.T) fixture {
	t.Helper()
	f := open(t)
	files := f.write(t, "a/x.tif", "a/y.tif", "a-b.tif", "a.tif", "b c/d.tif", "Ä.tif", "z/z/z.tif")
	results, err := f.Import(t.Context(), f.request("o1", files...))
	require.NoError(t, err)
	for _, r := range results {
		require.NoError(t, r.Err)
	}
	return f
}

func TestCompare_findsNothingWhereAllIsWell(t *testing.T) {
	t.Parallel()
	f := imported(t)
	require.NoError(t, os.MkdirAll(filepath.Join(f.dir, "ada_7/2026-12"), 0o755), "an import that is about to begin")
	require.NoError(t, os.MkdirAll(filepath.Join(f.dir, "lost+found/x"), 0o755))
	rows := f.rows(t)
	require.Len(t, rows, 7)
	require.Empty(t, f.compare(t, rows))
}

func TestCompare_findsEachFault(t *testing.T) {
	t.Parallel()
	const name = prefix + "a/y.tif"
	for title, tc := range map[string]struct {
		plant func(path string, row *repository.Row) error // at the link of a/y.tif
		kind  repository.FaultKind                         // empty for none
		link  string
		is    string
	}{
		"missing": {
			plant: func(path string, _ *repository.Row) error { return os.Remove(path) },
			kind:  repository.LinkMissing, link: name,
		},
		"missing with its folder": {
			plant: func(path string, r *repository.Row) error {
				r.Link = "gone/" + r.Link
				return os.Remove(path)
			},
			kind: repository.LinkMissing, link: "gone/" + name,
		},
		"missing below a link": {
			plant: func(path string, r *repository.Row) error {
				r.Link += "/deep.tif"
				return os.Remove(path)
			},
			kind: repository.LinkMissing, link: name + "/deep.tif",
		},
		"not made yet": {
			plant: func(path string, r *repository.Row) error {
				r.Imported = false
				return os.Remove(path)
			},
		},
		"missing of a forgotten order": {
			plant: func(path string, r *repository.Row) error {
				r.Imported, r.Forgotten = false, true
				return os.Remove(path)
			},
			kind: repository.LinkForgotten, link: name,
		},
		"leads elsewhere": {
			plant: func(_ string, r *repository.Row) error {
				r.Source = "/data/other.tif"
				return nil
			},
			kind: repository.LinkElsewhere, link: name,
		},
		"a file in its place": {
			plant: func(path string, _ *repository.Row) error {
				return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600))
			},
			kind: repository.LinkElsewhere, link: name, is: "no link",
		},
		"a folder in its place": {
			plant: func(path string, _ *repository.Row) error {
				return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
			},
			kind: repository.LinkElsewhere, link: name, is: "no link",
		},
		"no row": {
			plant: func(path string, _ *repository.Row) error { return os.Symlink("/data/b.tif", path+"2") },
			kind:  repository.LinkUnrecorded, link: name + "2",
		},
		"a file": {
			plant: func(path string, _ *repository.Row) error { return os.WriteFile(path+".tmp", nil, 0o600) },
			kind:  repository.NoLink, link: name + ".tmp", is: "----------",
		},
		"a file that a client left": {
			plant: func(path string, _ *repository.Row) error {
				return os.WriteFile(filepath.Join(filepath.Dir(path), ".nfs0001"), nil, 0o600)
			},
			kind: repository.Leftover, link: prefix + "a/.nfs0001",
		},
		"a link of such a name": {
			plant: func(path string, _ *repository.Row) error {
				return os.Symlink("/data/b.tif", filepath.Join(filepath.Dir(path), "._b.tif"))
			},
			kind: repository.LinkUnrecorded, link: prefix + "a/._b.tif",
		},
		"a file where a link is to be made": {
			plant: func(path string, r *repository.Row) error {
				r.Imported = false
				return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600))
			},
			kind: repository.NoLink, link: name, is: "----------",
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			f := imported(t)
			rows := f.rows(t)
			at := slices.IndexFunc(rows, func(r repository.Row) bool { return r.Link == name })
			require.NoError(t, tc.plant(filepath.Join(f.dir, name), &rows[at]))
			sortRows(rows)
			faults := f.compare(t, rows)
			if tc.kind == "" {
				require.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			require.Equal(t, tc.kind, faults[0].Kind)
			require.Equal(t, tc.link, faults[0].Link)
			if tc.is != "" {
				require.Equal(t, tc.is, faults[0].Is)
			}
		})
	}
}

func TestCompare_tellsOfALinkThatTwoFilesetsShare(t *testing.T) {
	t.Parallel()
	f := imported(t)
	rows := f.rows(t)
	faults := f.compare(t, slices.Insert(rows, 3, rows[3]))
	require.Len(t, faults, 1)
	require.Equal(t, repository.LinkShared, faults[0].Kind)
}

func TestCompare_passesFaultsOn(t *testing.T) {
	t.Parallel()
	f := imported(t)
	fault := errors.New("the database is away")
	found := func(repository.Fault) error { return fault }
	require.ErrorIs(t, repository.Compare(t.Context(), f.dir, sequence(nil), found), fault, "what is found cannot be told")
	broken := func(yield func(repository.Row, error) bool) { yield(repository.Row{}, fault) }
	require.ErrorIs(t, repository.Compare(t.Context(), f.dir, broken, nil), fault)
	require.ErrorIs(t, repository.Compare(t.Context(), f.dir+"/away", sequence(nil), nil), fs.ErrNotExist)
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, repository.Compare(ended, f.dir, sequence(f.rows(t)), nil), context.Canceled)
}
