package web_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

const save = "POST /api/v0/m/save/"

func TestFind(t *testing.T) {
	t.Parallel()
	have := []container{
		{kind: "Project", id: 1, name: "p", owner: 8, group: 3},
		{kind: "Project", id: 2, name: "p", owner: 7, group: 3},
		{kind: "Dataset", id: 10, name: "d", owner: 8, group: 3},
		{kind: "Dataset", id: 11, name: "d", owner: 7, group: 4},
		{kind: "Dataset", id: 12, name: "D", owner: 7, group: 3},
		{kind: "Dataset", id: 13, name: "d ", owner: 7, group: 3},
		{kind: "Dataset", id: 15, name: "d", owner: 7, group: 3, project: 2},
		{kind: "Dataset", id: 14, name: "d", owner: 7, group: 3, images: 1},
		{kind: "Dataset", id: 16, name: "in p", owner: 7, group: 3, project: 2},
		{kind: "Screen", id: 20, name: "s", owner: 7, group: 3},
	}
	for name, tc := range map[string]struct {
		ask   importer.Container
		want  int64 // above 100 when made
		saves int
	}{
		"lowest of several":  {ask: importer.Container{Type: importer.Dataset, Name: "d"}, want: 14},
		"by case":            {ask: importer.Container{Type: importer.Dataset, Name: "D"}, want: 12},
		"by blanks":          {ask: importer.Container{Type: importer.Dataset, Name: "d "}, want: 13},
		"in a project":       {ask: importer.Container{Type: importer.Dataset, Project: "p", Name: "d"}, want: 15},
		"of any project":     {ask: importer.Container{Type: importer.Dataset, Name: "in p"}, want: 16},
		"screen":             {ask: importer.Container{Type: importer.Screen, Name: "s"}, want: 20},
		"screen, no project": {ask: importer.Container{Type: importer.Screen, Project: "p", Name: "s"}, want: 20},
		"made":               {ask: importer.Container{Type: importer.Dataset, Name: "new"}, want: 101, saves: 1},
		"made screen":        {ask: importer.Container{Type: importer.Screen, Name: "S"}, want: 101, saves: 1},
		"made in project":    {ask: importer.Container{Type: importer.Dataset, Project: "p", Name: "new "}, want: 101, saves: 1},
		"made with project":  {ask: importer.Container{Type: importer.Dataset, Project: "P", Name: "d"}, want: 102, saves: 2},
	} {
		for _, size := range []int{500, 2} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				t.Parallel()
				f := newFake(t).start()
				f.containers, f.pageSize = append([]container(nil), have...), size
				s := f.session()
				for range 2 {
					got, err := s.Find(t.Context(), tc.ask)
					require.NoError(t, err)
					require.Equal(t, tc.want, got)
				}
				require.Equal(t, tc.saves, f.count(save))
				for _, c := range f.containers[len(have):] {
					require.EqualValues(t, 7, c.owner)
					require.EqualValues(t, 3, c.group)
				}
				require.NoError(t, s.Close(t.Context()))
			})
		}
	}
}

func TestFindInOtherGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.containers = []container{{kind: "Dataset", id: 10, name: "d", owner: 7, group: 3}}
	s, err := f.client().Login(t.Context(), "alice", "team")
	require.NoError(t, err)
	id, err := s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "d"})
	require.NoError(t, err)
	require.EqualValues(t, 101, id)
	require.EqualValues(t, 4, f.containers[1].group)
	require.NoError(t, s.Close(t.Context()))
}

// Those of one name are in no order: one may be missed while pages are turned.
func TestFindInUnstableList(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.containers = []container{
		{kind: "Dataset", id: 10, name: "a", owner: 7, group: 3},
		{kind: "Dataset", id: 11, name: "A", owner: 7, group: 3},
	}
	f.pageSize = 1
	n := 0
	f.mangle = func(list []container) []container {
		if n++; n <= 2 && len(list) == 2 {
			return []container{list[0], list[0]}
		}
		return list
	}
	s := f.session()
	id, err := s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "A"})
	require.NoError(t, err)
	require.EqualValues(t, 11, id)

	// A count that is always wrong does not keep one from being made.
	f.mangle = func([]container) []container { return nil }
	id, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "b"})
	require.NoError(t, err)
	require.EqualValues(t, 101, id)
	require.NoError(t, s.Close(t.Context()))
}

// A dataset that was made for a project, but is not in it, is not made again.
func TestFindLeftover(t *testing.T) {
	t.Parallel()
	const links = "POST /webclient/api/links/"
	f := newFake(t).start()
	s := f.session()
	f.containers = []container{
		{kind: "Project", id: 1, name: "p", owner: 7, group: 3},
		{kind: "Project", id: 2, name: "q", owner: 7, group: 3},
		{kind: "Dataset", id: 10, name: "d", owner: 7, group: 3, images: 1},
		{kind: "Dataset", id: 11, name: "d", owner: 7, group: 3, project: 2},
		{kind: "Dataset", id: 12, name: "d", owner: 8, group: 3},
	}
	f.on(links, says(500, "text/html", ""))
	ask := importer.Container{Type: importer.Dataset, Project: "p", Name: "d"}
	_, err := s.Find(t.Context(), ask)
	require.ErrorIs(t, err, model.ErrUnavailable)
	for range 2 {
		id, err := s.Find(t.Context(), ask)
		require.NoError(t, err)
		require.EqualValues(t, 101, id)
	}
	require.Equal(t, 1, f.count(save))
	require.Equal(t, 2, f.count(links))

	for _, what := range []string{"GET /api/v0/m/datasets/", "GET /api/v0/m/datasets/14/projects/"} {
		f.containers = append(f.containers, container{kind: "Dataset", id: 14, name: "left", owner: 7, group: 3})
		f.on(what, says(500, "text/html", ""))
		_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Project: "p", Name: "left"})
		require.ErrorIs(t, err, model.ErrUnavailable)
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestFindTogether(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	c := f.client()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := c.Login(t.Context(), "alice", "lab")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Find(t.Context(), importer.Container{Type: importer.Dataset, Project: "p", Name: "d"}); err != nil {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, f.containers, 2, "a project and a dataset")
}

func TestFindRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	refused := (*importer.Error)(nil)

	_, err := s.Find(t.Context(), importer.Container{Type: importer.Dataset})
	require.ErrorAs(t, err, &refused)

	f.on(save, says(403, "application/json", `{"message":"exception ::omero::SecurityViolation\n{\n    message = read-only group\n}"}`))
	_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "d"})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, `OMERO refused to make Dataset "d" for alice: read-only group.`, refused.Reason)

	f.on(save, says(201, "application/json", `{"data":{}}`))
	_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "d"})
	require.ErrorIs(t, err, model.ErrUnavailable)

	// Links that fail are reported as made.
	f.on("POST /webclient/api/links/", says(200, "application/json", `{"success":true}`), says(404, "application/json", `{"error":"Object of type Project and ID 1 not found"}`))
	_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Project: "p", Name: "d"})
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Reason, "did not put it into Project")
	_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Project: "p", Name: "d"})
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, model.ErrNotFound)
	require.NoError(t, s.Close(t.Context()))
}
