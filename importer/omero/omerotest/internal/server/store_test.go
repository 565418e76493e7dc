package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

func open(t *testing.T, dir string) *server.Store {
	t.Helper()
	s, err := server.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func groups(t *testing.T, s *server.Store) (names []string) {
	t.Helper()
	require.NoError(t, s.View(func(w *server.World) {
		for _, g := range w.Groups() {
			names = append(names, g.Name)
		}
	}))
	return names
}

func addGroup(t *testing.T, s *server.Store, name string) {
	t.Helper()
	require.NoError(t, s.Update(func(tx *server.Tx) error { tx.AddGroup(server.Group{Name: name}); return nil }))
}

func TestStoresSeeEachOthersChanges(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	addGroup(t, a, "one")
	addGroup(t, b, "two")
	addGroup(t, a, "three")
	want := []string{"one", "two", "three"}
	require.Equal(t, want, groups(t, a))
	require.Equal(t, want, groups(t, b))
	require.Equal(t, want, groups(t, open(t, dir)))
}

func TestFailedChangeLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	addGroup(t, s, "one")
	failure := errors.New("failure")
	err := s.Update(func(tx *server.Tx) error {
		tx.AddGroup(server.Group{Name: "two"})
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.Equal(t, []string{"one"}, groups(t, s))
}

// A process that was killed may have left half a line.
func TestHalfALineNeverHappened(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	addGroup(t, s, "one")
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = journal.WriteString(`{"groups":[{"id":7,"name":"half and more of it th`)
	require.NoError(t, err)
	require.NoError(t, journal.Close())
	require.Equal(t, []string{"one"}, groups(t, s))
	require.Equal(t, []string{"one"}, groups(t, open(t, dir)))
	addGroup(t, s, "two")
	require.Equal(t, []string{"one", "two"}, groups(t, open(t, dir)))
}
