package tracking_test

import (
	"fmt"
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
	f := newFixture(t)
	c := f.Catalog()
	i := repository.Import{
		Order: "o1", User: "ada", UserID: f.user("ada"), Type: importer.Screen, Container: 3, Prefix: "ada_1/now",
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

// imports is of orders of ada, a file each, under these prefixes.
func (f fixture) imports(prefixes ...string) (list []repository.Import) {
	f.t.Helper()
	ada := f.user("ada")
	for n, prefix := range prefixes {
		list = append(list, repository.Import{
			Order: fmt.Sprintf("%s-%d", prefix, n), User: "ada", UserID: ada, Type: importer.Dataset, Container: 1, Prefix: prefix,
			Sources: []repository.Source{{Path: "/data/a.tif", Link: "a.tif", Images: []string{"a.tif"}}},
		})
	}
	return list
}

func TestCatalog_givesAPrefixToOneOfALot(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made, err := f.RecordLot(t.Context(), f.imports("ada_1/x", "ada_1/y", "ada_1/x"))
	require.NoError(t, err)
	require.Len(t, made[0], 1)
	require.Len(t, made[1], 1)
	require.Nil(t, made[2])
	require.Equal(t, []string{"ada_1/x-0", "ada_1/y-1"}, f.column(`SELECT order_uuid FROM importer.repository_filesets ORDER BY order_uuid`))
	made, err = f.RecordLot(t.Context(), f.imports("ada_1/x", "ada_1/z", "ada_1/z"))
	require.NoError(t, err)
	require.Nil(t, made[0])
	require.Len(t, made[1], 1)
	require.Nil(t, made[2])
}

// Another server may have taken over, which lacks what was last written.
func TestCatalog_recordsNothingForAUserWhoHasAnotherID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	i := f.imports("ada_1/x")[0]
	f.exec(`DELETE FROM importer.repository_users`)
	_, err := f.Catalog().Record(t.Context(), i)
	require.ErrorIs(t, err, repository.ErrPrefixTaken)
	require.Equal(t, i.UserID+1, f.user("bob"))
	i.User = "bob"
	_, err = f.Catalog().Record(t.Context(), i)
	require.ErrorIs(t, err, repository.ErrPrefixTaken)
	i.UserID = f.user("bob")
	_, err = f.Catalog().Record(t.Context(), i)
	require.NoError(t, err)
}

// Which may also give numbers again that the former one gave.
func TestCatalog_takesNumbersOfTheServerThatItWritesTo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	record := func(prefix string) int64 {
		made, err := f.Catalog().Record(t.Context(), f.imports(prefix)[0])
		require.NoError(t, err)
		return made[0].ID
	}
	require.Equal(t, int64(1), record("ada_1/x"))
	require.Equal(t, int64(3), record("ada_1/y"), "its image has a number too")
	f.exec(`ALTER SEQUENCE importer.repository_ids RESTART WITH 50000`)
	f.Renew()
	require.Equal(t, int64(50000), record("ada_1/z"))
}
