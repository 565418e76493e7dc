package tracking_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

// pluginTables is what the web plugin makes when it comes first: no version
// table, and neither description nor import_options.
const pluginTables = `
CREATE TABLE public.imports_preprocessing (id SERIAL PRIMARY KEY, container VARCHAR NOT NULL, input_file VARCHAR NOT NULL,
    output_folder VARCHAR NOT NULL, alt_output_folder VARCHAR, extra_params JSON);
CREATE TABLE public.imports (id SERIAL PRIMARY KEY, group_name VARCHAR NOT NULL, user_name VARCHAR NOT NULL,
    destination_id VARCHAR NOT NULL, destination_type VARCHAR NOT NULL, stage VARCHAR NOT NULL, uuid VARCHAR(36) NOT NULL,
    "timestamp" TIMESTAMP WITH TIME ZONE, files TEXT NOT NULL, file_names TEXT,
    preprocessing_id INTEGER REFERENCES public.imports_preprocessing (id));
CREATE INDEX ix_imports_user_name ON public.imports (user_name);
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'waiting', '[]');`

// productionTables is a Python importer's database with history.
const productionTables = pluginTables + `
ALTER TABLE public.imports ADD COLUMN description TEXT;
CREATE INDEX ix_imports_uuid ON public.imports (uuid);
CREATE INDEX imports_ix_uuid_timestamp ON public.imports (uuid, "timestamp");
CREATE TABLE public.alembic_version_omeroadi (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_omeroadi_pkc PRIMARY KEY (version_num));
INSERT INTO public.alembic_version_omeroadi VALUES ('78d3d6d84aec');
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp", files) VALUES
    ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'undated', NULL, '[]'),
    ('Demo', 'ada', '1', 'Dataset', 'Import Completed', 'undated', '2024-01-01 10:01Z', '[]'),
    ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'done', '2024-01-01 10:00Z', '[]'),
    ('Demo', 'ada', '1', 'Dataset', 'Import Completed', 'done', '2024-01-01 10:01Z', '[]'),
    ('Demo', 'ada', '1', 'Dataset', 'Import Pending', 'stuck', '2024-01-01 10:00Z', '[]'),
    ('Demo', 'ada', '1', 'Dataset', 'Import Started', 'stuck', '2024-01-01 10:01Z', '[]');`

func TestMigrate_fromEachStartingState(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before string
		due    []string
	}{
		"empty":      {"SELECT 1", nil},
		"web plugin": {pluginTables, []string{"waiting"}},
		"production": {productionTables, []string{"waiting"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := trackingtest.EmptyURL(t)
			f := fixture{Store: open(t, url), t: t}
			f.exec(tc.before)
			require.ErrorContains(t, f.Verify(t.Context()), "migrate")
			for range 2 {
				require.NoError(t, tracking.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)))
			}
			require.NoError(t, f.Verify(t.Context()))
			require.Equal(t, []string{"92e8f9e637a1"}, f.column(`SELECT version_num FROM public.alembic_version_omeroadi`))
			require.Equal(t, []string{
				"description", "destination_id", "destination_type", "file_names", "files", "group_name", "id",
				"import_options", "preprocessing_id", "stage", "timestamp", "user_name", "uuid",
			}, f.column(`SELECT column_name FROM information_schema.columns
				WHERE table_schema = 'public' AND table_name = 'imports' ORDER BY column_name`))
			var due []string
			for _, w := range f.take() {
				due = append(due, w.Job.UUID)
			}
			require.Equal(t, tc.due, due)
		})
	}
}

// Orders that a version with a job queue of its own had taken up go on.
func TestMigrate_resumesWhatAnEarlierVersionTookUp(t *testing.T) {
	t.Parallel()
	url := trackingtest.EmptyURL(t)
	f := fixture{Store: open(t, url), t: t}
	require.NoError(t, tracking.MigrateTo(t.Context(), url, 5))
	f.exec(`CREATE TABLE importer.river_job (id BIGSERIAL)`)
	queued, running, ended, waiting := f.insert(`["/data/a.tif"]`), f.insert(`["/data/a.tif"]`), f.insert(`["/data/a.tif"]`), f.insert(`["/data/a.tif"]`)
	f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state, job_id, started_at)
		SELECT uuid, id, 1, CASE uuid WHEN $1 THEN 'queued' WHEN $2 THEN 'running' ELSE 'completed' END, id,
		       CASE uuid WHEN $1 THEN NULL ELSE now() END
		FROM public.imports WHERE uuid IN ($1, $2, $3)`, queued, running, ended)
	f.exec(`DELETE FROM importer.inbox WHERE uuid <> $1`, waiting)
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', '151', 'Dataset', 'Import Started', $1, '["/data/a.tif"]')`, running)
	require.NoError(t, tracking.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)))
	require.ElementsMatch(t, []attempt{{queued, 1}, {running, 1}, {waiting, 1}}, attempts(f.take()))
	for _, id := range []string{queued, running, waiting} {
		require.Equal(t, []string{"Import Pending", "Import Started"}, f.stages(id))
	}
	require.Empty(t, f.column(`SELECT relname FROM pg_class WHERE relname LIKE 'river%'`))
}

func TestMigrate_byAgentsAtOnce(t *testing.T) {
	t.Parallel()
	url := trackingtest.EmptyURL(t)
	var agents errgroup.Group
	for range 4 {
		agents.Go(func() error { return tracking.Migrate(context.Background(), url, slog.New(slog.DiscardHandler)) })
	}
	require.NoError(t, agents.Wait())
	require.NoError(t, open(t, url).Verify(t.Context()))
}

func TestMigrate_leavesAnUnknownAlembicVersion(t *testing.T) {
	t.Parallel()
	url := trackingtest.EmptyURL(t)
	f := fixture{Store: open(t, url), t: t}
	f.exec(`CREATE TABLE public.alembic_version_omeroadi (version_num VARCHAR(32) PRIMARY KEY)`)
	f.exec(`INSERT INTO public.alembic_version_omeroadi VALUES ('future')`)
	require.NoError(t, tracking.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)))
	require.Equal(t, []string{"future"}, f.column(`SELECT version_num FROM public.alembic_version_omeroadi`))
}

func TestOpen_doesNotShowThePassword(t *testing.T) {
	t.Parallel()
	_, err := tracking.Open(t.Context(), "postgres://ada:hunter2@127.0.0.1:1/db?connect_timeout=1", 2)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}

// What the repository holds keeps its numbers, and new ones follow them.
func TestMigrate_keepsTheCatalog(t *testing.T) {
	t.Parallel()
	url := trackingtest.EmptyURL(t)
	f := fixture{Store: open(t, url), t: t}
	require.NoError(t, tracking.MigrateTo(t.Context(), url, 7))
	id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
	key := sha256.Sum256([]byte("/data/a.tif\x00ada\x00Demo\x00Dataset\x00151"))
	f.exec(`INSERT INTO importer.repository_prefixes (id, prefix) VALUES (3, 'ada_1/2026-11/25/10-00-00.000')`)
	f.exec(`INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, prefix_id, link, container_type, container_id)
		VALUES (40, $1, $2, '/data/a.tif', 3, 'ada_1/2026-11/25/10-00-00.000/a.tif', 'Dataset', 151)`, id, key[:])
	f.exec(`INSERT INTO importer.repository_images (id, fileset_id, name) VALUES (70, 40, 'a.tif')`)
	require.NoError(t, tracking.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)))
	made, err := f.Catalog().Record(t.Context(), repository.Import{
		Order: id, User: "ada", Group: "Demo", Type: importer.Dataset, Container: 151, Prefix: "ada_1/2026-11/25/11-00-00.000",
		Sources: []repository.Source{
			{Path: "/data/a.tif", Link: "a.tif", Images: []string{"a.tif"}},
			{Path: "/data/b.tif", Link: "b.tif", Images: []string{"b.tif"}},
		},
	})
	require.NoError(t, err)
	require.Equal(t, repository.Fileset{
		Source: "/data/a.tif", ID: 40, Images: []int64{70}, Plates: []int64{}, Link: "ada_1/2026-11/25/10-00-00.000/a.tif",
	}, made[0])
	require.Equal(t, "ada_1/2026-11/25/11-00-00.000/b.tif", made[1].Link)
	require.Greater(t, made[1].ID, int64(70))
	require.Greater(t, made[1].Images[0], int64(70))
}
