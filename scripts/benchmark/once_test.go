package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error { return tracking.Migrate(ctx, url, quiet) }))
}

// carriedOut makes a site with one order of one file, and all that is left behind by it.
func carriedOut(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), url: trackingtest.URL(t)}
	pool, err := pgxpool.New(t.Context(), s.url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s.pool = pool
	for _, stage := range []string{"Pending", "Started", "Completed"} {
		s.exec(t, `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
			VALUES ('Demo', 'ada', '1', 'Dataset', 'Import `+stage+`', 'o', '["/data/a.tif"]')`)
	}
	s.exec(t, `DELETE FROM importer.inbox`)
	s.exec(t, `INSERT INTO importer.orders (uuid, import_id, attempt, state, ended_at) VALUES ('o', 1, 1, 'completed', now())`)
	s.exec(t, `INSERT INTO importer.files (order_uuid, ordinal, path, state, filesets) VALUES ('o', 0, '/data/a.tif', 'imported', '{1}')`)
	s.exec(t, `INSERT INTO importer.repository_prefixes (prefix) VALUES ('ada_1'), ('ada_2')`)
	s.exec(t, addFileset, "1", "k")
	s.exec(t, addImage, 1)
	require.NoError(t, os.MkdirAll(filepath.Join(s.repository(), "ada_1"), 0o750))
	require.NoError(t, os.Symlink("/data/a.tif", filepath.Join(s.repository(), "ada_1", "a.tif")))
	return s
}

const (
	addFileset = `INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, link, container_type, container_id)
		VALUES ($1::text::bigint, 'o', $2::text::bytea, '/data/a.tif', 'ada_' || $1::text || '/a.tif', 'Dataset', 1)`
	addImage = `INSERT INTO importer.repository_images (id, fileset_id, name) VALUES (nextval('importer.repository_ids'), $1, 'a.tif')`
)

func (s *site) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

func TestExactlyOnce(t *testing.T) {
	require.NoError(t, carriedOut(t).exactlyOnce(t.Context(), 1))
	for want, spoil := range map[string]func(*site){
		"0 orders are completed instead of 1":      func(s *site) { s.exec(t, `DELETE FROM importer.orders`) },
		"1 orders neither completed nor waiting":   func(s *site) { s.exec(t, `UPDATE importer.orders SET state = 'running'`) },
		"1 orders with stages missing, repeated":   func(s *site) { s.exec(t, `DELETE FROM public.imports WHERE stage = 'Import Started'`) },
		"1 files of orders without exactly one":    func(s *site) { s.exec(t, addImage, 1) },
		"1 filesets that their orders do not know": func(s *site) { s.exec(t, addFileset, "2", "l") },
		"of 1 links, 1 are missing":                func(s *site) { require.NoError(t, os.RemoveAll(filepath.Join(s.repository(), "ada_1"))) },
		"of 1 links, 0 are missing; 1 others":      func(s *site) { require.NoError(t, os.Symlink("/data/a.tif", filepath.Join(s.repository(), "b.tif"))) },
		"1 orders that are both begun and waiting": func(s *site) { s.exec(t, `UPDATE public.imports SET stage = stage WHERE stage = 'Import Pending'`) },
	} {
		s := carriedOut(t)
		spoil(s)
		require.ErrorContains(t, s.exactlyOnce(t.Context(), 1), want)
	}
}
