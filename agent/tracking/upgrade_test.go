package tracking_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

// load makes a database as scripts/dump found it.
func load(t *testing.T, dump string) fixture {
	t.Helper()
	sql, err := os.ReadFile(dump)
	require.NoError(t, err)
	url := trackingtest.EmptyURL(t)
	// On a connection of its own: a dump changes the session's settings.
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), string(sql), pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return fixture{Store: open(t, url), t: t}
}

// What the program of any earlier version left when it was killed amid its work is
// carried on with by this one: nothing of it is changed, lost or done again.
func TestMigrate_whatEachEarlierVersionLeft(t *testing.T) {
	t.Parallel()
	for _, dump := range dumps(t) {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			t.Parallel()
			f := load(t, dump)
			clients := func() []string {
				return f.column(`SELECT to_jsonb(i)::text FROM public.imports i UNION ALL SELECT to_jsonb(p)::text FROM public.imports_preprocessing p
					UNION ALL SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns WHERE table_schema = 'public'`)
			}
			catalog := func() []string {
				return f.column(`SELECT f.order_uuid || ' ' || f.id || ' ' || f.source || ' ' || f.link || ' ' || f.container_type || ' ' || f.container_id || ' ' ||
					encode(f.source_key, 'hex') || ' ' || i.id || ' ' || i.name || ' ' || coalesce(p.id, 0)
					FROM importer.repository_filesets f JOIN importer.repository_images i ON i.fileset_id = f.id LEFT JOIN importer.repository_plates p ON p.fileset_id = f.id`)
			}
			drops := func() []string {
				return f.column(`SELECT d.path || ' ' || d.state || ' ' || d.version || ' ' || d.uuid || ' ' || coalesce(r.id, 0)
					FROM importer.drops d LEFT JOIN importer.reports r ON r.drop_key = d.key`)
			}
			// numbers is how many filesets, images and plates have no higher number than this.
			numbers := func(limit string) string {
				return f.column(`SELECT count(*)::text FROM (SELECT id FROM importer.repository_filesets UNION ALL SELECT id FROM importer.repository_images
					UNION ALL SELECT id FROM importer.repository_plates) n WHERE id <= $1::text::bigint`, limit)[0]
			}
			last := f.column(`SELECT greatest((SELECT max(id) FROM importer.repository_filesets), (SELECT max(id) FROM importer.repository_images))::text`)[0]
			wasClients, wasCatalog, wasDrops, wasNumbers := clients(), catalog(), drops(), numbers(last)
			begun := f.column(`SELECT uuid FROM importer.orders WHERE state = 'running'`)
			waiting := f.column(`SELECT uuid FROM importer.inbox UNION SELECT uuid FROM importer.orders WHERE state = 'queued' AND started_at IS NULL`)
			require.Len(t, begun, 2)
			require.Len(t, waiting, 8)

			require.NoError(t, tracking.Migrate(t.Context(), f.Pool().Config().ConnString(), slog.New(slog.DiscardHandler)))
			require.NoError(t, f.Verify(t.Context()))
			require.ElementsMatch(t, wasClients, clients())
			require.ElementsMatch(t, wasCatalog, catalog())
			require.ElementsMatch(t, wasDrops, drops())
			require.Empty(t, f.column(`SELECT relname FROM pg_class WHERE relname ~ '^river'`), "the job queue of before")
			// What is old by now is worth a look.
			f.requireNoMoreThan("agent-gone", "inbox-late", "report-late")

			// A killed agent's orders go on, and those that waited are begun.
			dead, err := f.Dead(t.Context())
			require.NoError(t, err)
			_, err = f.Rescue(t.Context(), dead, nil)
			require.NoError(t, err)
			again := map[string]int{}
			for works := f.take(); len(works) > 0; works = f.take() {
				for _, w := range works {
					again[w.Job.UUID]++
					f.complete(w)
				}
			}
			want := map[string]int{}
			for _, uuid := range append(begun, waiting...) {
				want[uuid]++ // the order "running" was asked for once more while it ran
			}
			require.Equal(t, want, again)
			require.Subset(t, catalog(), wasCatalog)
			require.Equal(t, wasNumbers, numbers(last), "new numbers follow those of before")
			require.Empty(t, f.column(`SELECT source FROM importer.repository_filesets GROUP BY order_uuid, source HAVING count(*) > 1`))
			require.Empty(t, f.column(`SELECT uuid FROM importer.inbox`))
			f.requireNoMoreThan("report-late")

			// Nothing of a completed order is imported again, and the rest of a failed one is.
			require.NoError(t, f.Retry(t.Context(), "completed", false))
			require.NoError(t, f.Retry(t.Context(), "failed", false))
			for _, w := range f.take() {
				var todo []string
				for _, file := range f.files(w) {
					if file.State != tracking.FileImported {
						todo = append(todo, filepath.Base(file.Path))
					}
				}
				if w.Job.UUID == "completed" {
					require.Empty(t, todo)
				} else {
					require.Subset(t, todo, []string{"empty.tif", "none.tif"})
				}
				f.complete(w)
			}
			f.requireNoMoreThan("report-late")
		})
	}
}

// requireNoMoreThan makes sure that the audit finds nothing but what it may.
func (f fixture) requireNoMoreThan(may ...string) {
	f.t.Helper()
	broken, _ := f.audit()
	for _, b := range broken {
		rule, _, _ := strings.Cut(b, " ")
		require.Contains(f.t, may, rule)
	}
}

// A migration that a program was released with makes what it made then.
func TestMigrations_areAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, dump := range dumps(t) {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			t.Parallel()
			was := load(t, dump)
			url := trackingtest.EmptyURL(t)
			version, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(dump), ".sql"), 10, 64)
			require.NoError(t, err)
			require.NoError(t, tracking.MigrateTo(t.Context(), url, version))
			is := fixture{Store: open(t, url), t: t}
			for _, sql := range []string{
				`SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
				 FROM information_schema.columns WHERE table_schema IN ('public', 'importer') AND table_name !~ '^river'`,
				`SELECT indexdef FROM pg_indexes WHERE schemaname IN ('public', 'importer') AND tablename !~ '^river'`,
				`SELECT relname || ' ' || pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'importer'::regnamespace`,
				`SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'importer'::regnamespace AND proname !~ '^river'`,
				`SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
				 WHERE connamespace IN ('importer'::regnamespace, 'public'::regnamespace) AND conrelid::regclass::text !~ 'river'`,
			} {
				require.ElementsMatch(t, was.column(sql), is.column(sql))
			}
		})
	}
}

// dumps is a database of each version of the tables that a program was released with.
func dumps(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/dumps/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}
