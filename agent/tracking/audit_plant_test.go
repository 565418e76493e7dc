package tracking_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

// later is another stage of the order $1, dated as far from now as $3 says.
const later = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
	SELECT group_name, user_name, destination_id, destination_type, $2, uuid, files, clock_timestamp() + $3::interval
	FROM public.imports WHERE uuid = $1 LIMIT 1`

// site is a database with an order in each state, none of them at fault.
type site struct {
	fixture
	completed, failed, running, queued, waiting string
}

func newSite(t *testing.T) site {
	t.Helper()
	const two = `["/data/a.tif", "/data/b.tif"]`
	f := holding(t)
	s := site{fixture: f}
	s.completed = f.insert(two)
	f.complete(f.takeOne())
	s.failed = f.insert(two)
	f.fail(f.takeOne())
	s.running = f.insert(two)
	f.take()
	s.queued = f.insert(two)
	require.NoError(t, f.PutBack(t.Context(), f.takeOne().Job, time.Hour, true, "", nil))
	s.waiting = f.insert(two)
	f.requireSound("before anything is planted")
	return s
}

func TestAudit_findsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		plant func(s site)
		want  string // with the name of the order's state for its uuid
	}{
		"a stage that nobody knows": {func(s site) { s.exec(later, s.waiting, "Import Done", "1s") }, "stage-unknown waiting"},
		"a start without a request": {func(s site) {
			s.exec(`DELETE FROM public.imports WHERE uuid = $1 AND stage = 'Import Pending'`, s.running)
		}, "stage-unasked running"},
		"an attempt that nobody asked for": {func(s site) {
			s.exec(later, s.completed, "Import Started", "1s")
			s.exec(later, s.completed, "Import Completed", "2s")
		}, "stage-unasked completed"},
		"an end dated like the start": {func(s site) {
			s.exec(`UPDATE public.imports SET "timestamp" = (SELECT "timestamp" FROM public.imports WHERE uuid = $1 AND stage = 'Import Started')
				WHERE uuid = $1 AND stage = 'Import Completed'`, s.completed)
		}, "stage-time completed"},
		"a second start": {func(s site) {
			s.exec(`INSERT INTO public.imports SELECT (SELECT max(id) + 1 FROM public.imports), group_name, user_name, destination_id, destination_type,
				stage, 'x', "timestamp", files FROM public.imports WHERE uuid = $1 AND stage = 'Import Pending'`, s.running)
			s.exec(`UPDATE public.imports SET uuid = $1, id = 0 WHERE uuid = 'x'`, s.running)
			s.exec(`DELETE FROM importer.inbox WHERE uuid = 'x'`)
			s.exec(later, s.running, "Import Started", "1s")
		}, "stage-repeated running"},
		"a second end": {func(s site) { s.exec(later, s.failed, "Import Failed", "1s") }, "stage-repeated failed"},
		"another end":  {func(s site) { s.exec(later, s.failed, "Import Completed", "-1us"); s.redate(s.failed) }, "stage-order failed; order-stage failed"},
		"no start": {func(s site) {
			s.exec(`DELETE FROM public.imports WHERE uuid = $1 AND stage = 'Import Started'`, s.completed)
		}, "stage-order completed"},
		"converted after the end": {
			func(s site) { s.exec(later, s.completed, "Import Preprocessing", "1s") },
			"stage-order completed; order-stage completed",
		},
		"started after converting": {func(s site) {
			s.exec(later, s.running, "Import Preprocessing", "1s")
			s.exec(`INSERT INTO public.imports (id, group_name, user_name, destination_id, destination_type, stage, uuid, files)
				VALUES (0, 'Demo', 'ada', '151', 'Dataset', 'Import Completed', $1, '[]')`, "x")
			s.exec(`UPDATE public.imports SET uuid = $1, stage = 'Import Pending' WHERE uuid = 'x'`, s.running)
			s.exec(`DELETE FROM importer.inbox WHERE uuid = $1`, s.running)
			s.exec(later, s.running, "Import Started", "2s")
		}, "stage-order running"},

		"a lost request": {func(s site) { s.exec(`DELETE FROM importer.inbox`) }, "order-lost waiting"},
		"a lost second request": {func(s site) {
			s.exec(insertPending, s.completed, "[]")
			s.exec(`DELETE FROM importer.inbox WHERE uuid = $1`, s.completed)
		}, "order-lost completed"},
		"a lost order": {func(s site) { s.exec(`DELETE FROM importer.orders WHERE uuid = $1`, s.running) }, "order-lost running"},
		"a request without date": {func(s site) {
			s.exec(`UPDATE public.imports SET "timestamp" = NULL WHERE uuid = $1 AND stage = 'Import Pending'`, s.failed)
		}, "order-lost failed"},
		"completed, it says": {func(s site) { s.exec(`UPDATE importer.orders SET state = 'completed' WHERE uuid = $1`, s.failed) }, "order-stage failed; file-missing failed; catalog-orphan failed"},
		"failed, it says": {func(s site) {
			s.exec(`UPDATE importer.orders SET state = 'failed', reason = 'no' WHERE uuid = $1`, s.completed)
		}, "order-stage completed"},
		"running, it says": {func(s site) {
			s.exec(`UPDATE importer.orders SET state = 'running', agent = $2 WHERE uuid = $1`, s.completed, agent)
		}, "order-stage completed"},
		"no reason":       {func(s site) { s.exec(`UPDATE importer.orders SET reason = '' WHERE uuid = $1`, s.failed) }, "order-state failed"},
		"no end":          {func(s site) { s.exec(`UPDATE importer.orders SET ended_at = NULL WHERE uuid = $1`, s.completed) }, "order-state completed"},
		"no time":         {func(s site) { s.exec(`UPDATE importer.orders SET due_at = NULL WHERE uuid = $1`, s.queued) }, "order-state queued"},
		"no agent":        {func(s site) { s.exec(`UPDATE importer.orders SET agent = '' WHERE uuid = $1`, s.running) }, "order-state running; agent-gone running"},
		"an agent's lock": {func(s site) { s.exec(`UPDATE importer.orders SET agent = 'another' WHERE uuid = $1`, s.running) }, "agent-gone running"},
		"parked for ever": {func(s site) { s.exec(`UPDATE importer.inbox SET parked = true`) }, "inbox-parked waiting"},
		"nothing to take up": {func(s site) {
			s.exec(`DELETE FROM public.imports WHERE uuid = $1`, s.waiting)
			s.exec(`UPDATE importer.inbox SET placed_at = now() - interval '2 hours'`)
		}, "inbox-gone waiting"},
		"waiting for days": {func(s site) { s.exec(`UPDATE importer.inbox SET placed_at = now() - interval '2 days'`) }, "inbox-late waiting"},
		"held for days by nobody": {func(s site) {
			s.exec(`UPDATE importer.inbox SET placed_at = now() - interval '2 days', parked = true, held = true, destination = 'x'`)
		}, "inbox-late waiting"},

		"an imported file of nothing": {func(s site) {
			s.exec(`UPDATE importer.files SET images = '{}', plates = '{}' WHERE order_uuid = $1 AND ordinal = 1`, s.completed)
		}, "file-state completed; file-catalog completed"},
		"a failed file without reason": {func(s site) { s.exec(`UPDATE importer.files SET reason = '' WHERE order_uuid = $1`, s.failed) }, "file-state failed"},
		"a pending file": {func(s site) {
			s.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state) VALUES ($1, 0, '/data/a.tif', 'pending')`, s.running)
		}, "file-state running"},
		"a file of no order": {func(s site) {
			s.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state, reason) VALUES ('nobody', 0, 'x', 'failed', 'no')`)
		}, "file-order nobody"},
		"a file that is missing": {func(s site) { s.exec(`DELETE FROM importer.files WHERE order_uuid = $1 AND ordinal = 0`, s.completed) }, "file-missing completed; catalog-orphan completed"},
		"a file of another path": {func(s site) {
			s.exec(`UPDATE importer.files SET path = 'x' WHERE order_uuid = $1 AND ordinal = 0`, s.failed)
		}, "file-place failed"},
		"a file too many": {func(s site) {
			s.exec(`UPDATE importer.files SET ordinal = 7 WHERE order_uuid = $1 AND ordinal = 1`, s.failed)
		}, "file-place failed"},
		"an image that is not there": {func(s site) {
			s.exec(`UPDATE importer.files SET images = images || 999::bigint WHERE order_uuid = $1 AND ordinal = 0`, s.completed)
		}, "file-catalog completed"},
		"an image that is not listed": {func(s site) {
			s.exec(`INSERT INTO importer.repository_images (id, fileset_id, name) SELECT 9999, max(id), 'x' FROM importer.repository_filesets WHERE order_uuid = $1`, s.completed)
		}, "file-catalog completed"},
		"a plate that is not listed": {func(s site) {
			s.exec(`UPDATE importer.files SET plates = '{}' WHERE order_uuid = $1 AND ordinal = 0`, s.completed)
		}, "file-catalog completed"},
		"another order's fileset": {func(s site) {
			s.exec(`UPDATE importer.files SET filesets = (SELECT filesets FROM importer.files WHERE order_uuid = $2 AND ordinal = 0),
				images = (SELECT images FROM importer.files WHERE order_uuid = $2 AND ordinal = 0),
				plates = (SELECT plates FROM importer.files WHERE order_uuid = $2 AND ordinal = 0) WHERE order_uuid = $1 AND ordinal = 0`, s.failed, s.completed)
		}, "file-catalog failed"},
		"no fileset": {func(s site) {
			s.exec(`UPDATE importer.files SET filesets = '{}', images = '{}' WHERE order_uuid = $1 AND ordinal = 0`, s.failed)
		}, "file-catalog failed; file-catalog failed"},

		"a file imported twice": {func(s site) {
			s.exec(`WITH f AS (INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, link, container_type, container_id)
				SELECT nextval('importer.repository_ids'), order_uuid, 'x', source, link || '2', container_type, container_id FROM importer.repository_filesets
				WHERE order_uuid = $1 ORDER BY id LIMIT 1 RETURNING id) INSERT INTO importer.repository_images (id, fileset_id, name) SELECT 9999, id, 'x' FROM f`, s.completed)
		}, "catalog-twice completed; catalog-orphan completed"},
		"a file imported twice, by attempts": {func(s site) {
			s.exec(`WITH f AS (INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, link, container_type, container_id)
				SELECT nextval('importer.repository_ids'), order_uuid, 'x', source, link || '2', container_type, container_id FROM importer.repository_filesets
				WHERE order_uuid = $1 ORDER BY id LIMIT 1 RETURNING id) INSERT INTO importer.repository_images (id, fileset_id, name) SELECT 9999, id, 'x' FROM f`, s.completed)
			s.exec(`UPDATE importer.orders SET attempt = 2 WHERE uuid = $1`, s.completed)
		}, "catalog-again completed"},
		"a file that is left of a run": {func(s site) {
			s.exec(`DELETE FROM importer.files WHERE order_uuid = $1 AND ordinal = 0`, s.completed)
			s.exec(`UPDATE importer.orders SET run = 2 WHERE uuid = $1`, s.completed)
		}, "file-missing completed; catalog-left completed"},
		"an empty fileset": {func(s site) {
			s.exec(`INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, link, container_type, container_id)
				SELECT nextval('importer.repository_ids'), order_uuid, 'x', 'y', link || '2', container_type, container_id FROM importer.repository_filesets
				WHERE order_uuid = $1 ORDER BY id LIMIT 1`, s.failed)
		}, "catalog-parts failed"},
		"parts of nothing": {func(s site) {
			s.exec(`INSERT INTO importer.repository_images (id, fileset_id, name) VALUES (9999, 999, 'x')`)
			s.exec(`INSERT INTO importer.repository_plates (id, fileset_id, name) VALUES (9999, 999, 'x')`)
		}, "catalog-parts; catalog-parts"},
		"no prefix": {func(s site) {
			s.exec(`DELETE FROM importer.repository_prefixes x USING importer.repository_filesets f
				WHERE starts_with(f.link, x.prefix || '/') AND f.source = '/data/a.tif' AND f.order_uuid = $1`, s.failed)
		}, "catalog-parts failed"},
		"a link of elsewhere": {func(s site) {
			s.exec(`UPDATE importer.repository_filesets SET link = 'x' WHERE source = '/data/a.tif' AND order_uuid = $1`, s.failed)
		}, "catalog-parts failed"},

		"a drop of no order": {func(s site) {
			require.NoError(s.t, s.Place(s.t.Context(), []tracking.Drop{{Path: "/data/x", Kind: tracking.DropFile, State: tracking.DropTaken, UUID: "nobody"}}, nil))
		}, "drop-order nobody"},
		"a receipt that is late": {func(s site) {
			require.NoError(s.t, s.Place(s.t.Context(), []tracking.Drop{{Path: "/data/x.order.yml", Kind: tracking.DropManifest, State: tracking.DropTaken, UUID: s.completed}}, nil))
			s.exec(`UPDATE importer.reports SET due_at = now() - interval '2 hours'`)
		}, "report-late completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			tc.plant(s)
			broken, _ := s.audit()
			require.ElementsMatch(t, strings.Split(tc.want, "; "), s.named(broken))
		})
	}
}

// redate dates an order's rows in the order of their ids.
func (s site) redate(id string) {
	s.t.Helper()
	s.exec(`UPDATE public.imports p SET "timestamp" = now() + p.id * interval '1 ms' WHERE uuid = $1`, id)
}

// named says instead of each uuid what state that order was in.
func (s site) named(broken []string) (named []string) {
	names := strings.NewReplacer(s.completed, "completed", s.failed, "failed", s.running, "running", s.queued, "queued", s.waiting, "waiting")
	for _, b := range broken {
		named = append(named, names.Replace(b))
	}
	return named
}
