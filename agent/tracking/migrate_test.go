package tracking_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
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

// As long as the tables serve it, an older program starts on those of a newer one.
func TestMigrate_onTablesOfANewerVersion(t *testing.T) {
	t.Parallel()
	url := trackingtest.URL(t)
	f := fixture{Store: open(t, url), t: t}
	f.exec(`INSERT INTO importer.schema_version (version_id, is_applied) VALUES (9998, true), (9999, true)`)
	migrate := func() error { return tracking.Migrate(t.Context(), url, slog.New(slog.DiscardHandler)) }
	require.NoError(t, migrate())
	require.NoError(t, f.Verify(t.Context()))
	f.exec(`UPDATE importer.serves SET version = 9998`)
	for _, err := range []error{migrate(), f.Verify(t.Context())} {
		require.ErrorContains(t, err, "version 9999 and serve only programs from version 9998 on")
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
	require.Equal(t, []string{"9999"}, f.column(`SELECT max(version_id)::text FROM importer.schema_version`))
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

// An agent that has one of two tables, and then wants the other, gets it: the migration
// that has that one lets go of it, and goes on later.
func TestMigrate_waitsForAgentsInEitherOrder(t *testing.T) {
	t.Parallel()
	for _, tables := range [][2]string{{"importer.inbox", "importer.orders"}, {"importer.orders", "importer.inbox"}} {
		url := trackingtest.EmptyURL(t)
		require.NoError(t, tracking.MigrateTo(t.Context(), url, 14))
		f := fixture{Store: open(t, url), t: t}
		agent, err := f.Pool().Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = agent.Rollback(t.Context()) }()
		lock := func(table string) {
			_, err := agent.Exec(t.Context(), "LOCK TABLE "+table+" IN ROW EXCLUSIVE MODE")
			require.NoError(t, err)
		}
		lock(tables[0])
		done := make(chan error, 1)
		go func() { done <- tracking.MigrateTo(t.Context(), url, 15) }()
		require.Eventually(t, func() bool {
			return f.column(`SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass`, tables[0])[0] != "0"
		}, time.Minute, time.Millisecond)
		lock(tables[1])
		require.NoError(t, agent.Commit(t.Context()))
		require.NoError(t, <-done)
	}
}
