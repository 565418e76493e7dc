package tracking_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

func TestCatalog_findsWhatItMade(t *testing.T) {
	t.Parallel()
	c := newFixture(t).Catalog()
	ada, err := c.User(t.Context(), "ada")
	require.NoError(t, err)
	again, err := c.User(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, ada, again)

	retina := importer.Container{Type: importer.Dataset, Group: "Demo", User: "ada", Project: "Eye", Name: "Retina"}
	id, err := c.Container(t.Context(), retina)
	require.NoError(t, err)
	same, err := c.Container(t.Context(), retina)
	require.NoError(t, err)
	require.Equal(t, id, same)
	retina.Project = ""
	other, err := c.Container(t.Context(), retina)
	require.NoError(t, err)
	require.NotEqual(t, id, other)
}

func TestCatalog_recordsASourceOfAnOrderOnce(t *testing.T) {
	t.Parallel()
	c := newFixture(t).Catalog()
	i := repository.Import{
		Order: "o1", Type: importer.Screen, Container: 3, Prefix: "ada_1/now",
		Sources: []repository.Source{
			{Path: "/data/b.tif", Link: "b.tif", Images: []string{"b.tif"}},
			{Path: "/data/p.zarr", Link: "p.zarr", Images: []string{"p [1]", "p [2]"}, Plates: []string{"p"}},
		},
	}
	first, err := c.Record(t.Context(), i)
	require.NoError(t, err)
	require.Len(t, first, 2)
	require.Equal(t, "ada_1/now/b.tif", first[0].Link)
	require.Len(t, first[1].Images, 2)
	require.Len(t, first[1].Plates, 1)

	i.Sources = append(i.Sources, repository.Source{Path: "/data/c.tif", Link: "c.tif", Images: []string{"c.tif"}})
	_, err = c.Record(t.Context(), i)
	require.ErrorIs(t, err, repository.ErrPrefixTaken)
	i.Prefix = "ada_1/later"
	second, err := c.Record(t.Context(), i)
	require.NoError(t, err)
	require.Equal(t, first, second[:2])
	require.Equal(t, "ada_1/later/c.tif", second[2].Link)
}
