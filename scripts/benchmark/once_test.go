package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error { return tracking.Migrate(ctx, url, quiet) }))
}

// carriedOut makes a site with one order of one file, carried out as the service does.
func carriedOut(t *testing.T) *site {
	t.Helper()
	ctx := t.Context()
	s := &site{dir: t.TempDir(), url: trackingtest.URL(t)}
	pool, err := pgxpool.New(ctx, s.url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s.pool = pool
	store, err := tracking.Open(ctx, s.url, 2)
	require.NoError(t, err)
	defer store.Close()

	image := filepath.Join(s.data(), "a.tif")
	require.NoError(t, os.MkdirAll(s.data(), 0o750))
	require.NoError(t, os.WriteFile(image, []byte("pixels"), 0o600))
	share, err := importer.OpenShare(s.data())
	require.NoError(t, err)
	defer func() { require.NoError(t, share.Close()) }()
	repo, err := repository.Open(repository.Config{Dir: s.repository()}, share, store.Catalog(), time.Now)
	require.NoError(t, err)
	defer func() { require.NoError(t, repo.Close()) }()

	require.NoError(t, store.Submit(ctx, tracking.NewOrder{Order: order.Order{
		UUID: "o", Group: "Demo", User: "ada", Files: []string{image}, Destination: order.Destination{Type: order.Dataset, ID: 1},
	}}))
	agent := tracking.Agent{Name: "a"}
	waiting, err := store.Waiting(ctx, agent, 1)
	require.NoError(t, err)
	works, _, err := store.Take(ctx, agent, 0, waiting.Shares)
	require.NoError(t, err)
	w := works[0]
	require.NoError(t, store.Begin(ctx, w))
	made, err := repo.Import(ctx, importer.Request{
		Order:  importer.Order{UUID: "o", User: "ada", Group: "Demo", Type: importer.Dataset, Container: 1},
		Parent: s.data(), Files: []importer.File{{Path: image}},
	})
	require.NoError(t, err)
	file := tracking.File{Path: image, State: tracking.FileImported, Filesets: made[0].Filesets, Images: made[0].Images, Target: w.Target}
	require.NoError(t, store.Finish(ctx, tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: []tracking.File{file}}))
	return s
}

func (s *site) exec(t *testing.T, query string) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), query)
	require.NoError(t, err)
}

func TestExactlyOnce(t *testing.T) {
	require.NoError(t, carriedOut(t).exactlyOnce(t.Context(), 1))
	for want, spoil := range map[string]func(*site){
		"0 orders were begun instead of 1":              func(s *site) { s.exec(t, `DELETE FROM importer.orders`) },
		"1 orders begun and not completed":              func(s *site) { s.exec(t, `UPDATE importer.orders SET state = 'running'`) },
		"1 orders that are both begun and waiting":      func(s *site) { s.exec(t, `UPDATE public.imports SET stage = stage WHERE stage = 'Import Pending'`) },
		"1 filesets of what is no file of their orders": func(s *site) { s.exec(t, `UPDATE importer.repository_filesets SET source = '/b.tif'`) },
		"audit: 1 of stage-order, as o ":                func(s *site) { s.exec(t, `DELETE FROM public.imports WHERE stage = 'Import Started'`) },
		"audit: 1 of file-missing, as o ":               func(s *site) { s.exec(t, `DELETE FROM importer.files`) },
		"audit: 1 of disk-missing, as o ":               func(s *site) { require.NoError(t, os.RemoveAll(filepath.Join(s.repository(), "ada_1"))) },
		"audit: 1 of disk-unrecorded, as  b.tif":        func(s *site) { require.NoError(t, os.Symlink("/a.tif", filepath.Join(s.repository(), "b.tif"))) },
	} {
		s := carriedOut(t)
		spoil(s)
		require.ErrorContains(t, s.exactlyOnce(t.Context(), 1), want)
	}
}
