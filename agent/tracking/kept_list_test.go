package tracking_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// plenty makes so many orders that have ended and so many that wait, half of them ada's and
// a minute apart, with what is due of them to two targets and a manifest each, one in 50 of
// which was refused.
func (f fixture) plenty(orders int) {
	f.t.Helper()
	const place = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, "timestamp")
		SELECT 'Demo', CASE WHEN n % 2 = 0 THEN 'ada' ELSE 'user' || n % 100 END, '1', 'Dataset', $2, gen_random_uuid()::text, '[]', now() - n * interval '1 minute'
		FROM generate_series(1, $1::int) n`
	f.exec(place, orders, order.Completed)
	f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state, group_name, user_name, queued_at, started_at, ended_at)
		SELECT uuid, id, 1, 'completed', group_name, user_name, "timestamp", "timestamp", "timestamp"
		FROM public.imports WHERE stage = 'Import Completed' ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO importer.files (order_uuid, ordinal, path, state)
		SELECT uuid, 0, '/data/a.tif', 'imported' FROM importer.orders ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO importer.drops (key, path, folder, kind, size, mtime, inode, mark, fingerprint, state, uuid, version)
		SELECT sha256(uuid::bytea), '/data/' || uuid, id, 'manifest', 5, 6, id, id, id, CASE WHEN id % 50 = 0 THEN 'refused' ELSE 'taken' END, uuid, 1
		FROM public.imports WHERE stage = 'Import Completed' ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO importer.deliveries (target, uuid, attempt, stage, group_name, user_name, destination_type, destination_id, reason,
			files_imported, files_failed, queued_at, ended_at, due_at)
		SELECT target, uuid, 1, 'Import Completed', group_name, user_name, 'Dataset', '1', '', 1, 0, queued_at, ended_at, ended_at
		FROM importer.orders, unnest(ARRAY['hook', 'mail']) target WHERE state = 'completed' ON CONFLICT DO NOTHING`)
	f.exec(place, orders, order.Pending)
}

// looks are what pages and lists ask for, where there is an order of that uuid, and what is
// done from time to time.
func (f fixture) looks(id string) map[string]func(ctx context.Context) error {
	list := func(filter tracking.Filter) func(context.Context) error {
		filter.Limit = 50
		return func(ctx context.Context) error { _, err := f.List(ctx, filter); return err }
	}
	worker, now := tracking.Agent{Name: agent}, time.Now()
	return map[string]func(ctx context.Context) error{
		"all orders":          list(tracking.Filter{}),
		"pending":             list(tracking.Filter{Stages: []order.Stage{order.Pending}}),
		"started":             list(tracking.Filter{Stages: []order.Stage{order.Started}}),
		"failed":              list(tracking.Filter{Stages: []order.Stage{order.Failed}}),
		"of ada":              list(tracking.Filter{User: "ada"}),
		"of ada, completed":   list(tracking.Filter{User: "ada", Stages: []order.Stage{order.Completed}}),
		"of a group":          list(tracking.Filter{Group: "Demo"}),
		"of ada in the group": list(tracking.Filter{User: "ada", Group: "Demo"}),
		"of nobody":           list(tracking.Filter{User: "nobody"}),
		"since an hour":       list(tracking.Filter{Since: now.Add(-time.Hour)}),
		"statuses":            func(ctx context.Context) error { _, err := f.Statuses(ctx, []string{id}); return err },
		"changed": func(ctx context.Context) error {
			_, err := f.Changed(ctx, time.Second, []string{id}, 500, 100)
			return err
		},
		"counts":              func(ctx context.Context) error { _, err := f.Counts(ctx); return err },
		"depth":               func(ctx context.Context) error { _, err := f.Depth(ctx); return err },
		"an hour":             func(ctx context.Context) error { _, err := f.Hour(ctx, now.Add(-2*time.Hour)); return err },
		"unsettled drops":     func(ctx context.Context) error { _, err := f.Unsettled(ctx, 100); return err },
		"timeline":            func(ctx context.Context) error { _, err := f.Timeline(ctx, id); return err },
		"files":               func(ctx context.Context) error { _, err := f.FilePage(ctx, id, "", 0, 50); return err },
		"failed files":        func(ctx context.Context) error { _, err := f.FilePage(ctx, id, tracking.FileFailed, 0, 50); return err },
		"tally":               func(ctx context.Context) error { _, _, err := f.TallyFiles(ctx, id); return err },
		"converters":          func(ctx context.Context) error { _, _, err := f.Converters(ctx, id); return err },
		"origin":              func(ctx context.Context) error { _, err := f.Origin(ctx, id); return err },
		"as placed":           func(ctx context.Context) error { _, err := f.Placed(ctx, id); return err },
		"an order":            func(ctx context.Context) error { _, err := f.Show(ctx, id); return err },
		"its work":            func(ctx context.Context) error { _, err := f.Look(ctx, id); return err },
		"its metadata":        func(ctx context.Context) error { _, _, err := f.Metadata(ctx, id); return err },
		"whether at work":     func(ctx context.Context) error { _, err := f.AtWork(ctx, id); return err },
		"its conversions":     func(ctx context.Context) error { _, err := f.ConversionResults(ctx, id); return err },
		"agents":              func(ctx context.Context) error { _, err := f.Agents(ctx); return err },
		"dead agents":         func(ctx context.Context) error { _, err := f.Dead(ctx); return err },
		"deliveries":          func(ctx context.Context) error { _, err := f.Deliveries(ctx, false, 100); return err },
		"undelivered":         func(ctx context.Context) error { _, err := f.Deliveries(ctx, true, 100); return err },
		"one that is due":     func(ctx context.Context) error { _, err := f.Claim(ctx, "hook", false, time.Hour); return err },
		"those due together":  func(ctx context.Context) error { _, err := f.Claim(ctx, "mail", true, time.Hour); return err },
		"due for nobody":      func(ctx context.Context) error { _, err := f.Abandon(ctx); return err },
		"whose turn it is":    func(ctx context.Context) error { _, err := f.Waiting(ctx, worker, 16); return err },
		"who has room":        func(ctx context.Context) error { _, err := f.Release(ctx, worker); return err },
		"far in the future":   func(ctx context.Context) error { return f.Hasten(ctx, 48*time.Hour) },
		"too old":             func(ctx context.Context) error { _, err := f.Prune(ctx, now.Add(-time.Hour)); return err },
		"old enough for none": func(ctx context.Context) error { _, err := f.Prune(ctx, now.AddDate(-1, 0, 0)); return err },
		"links nobody has":    func(ctx context.Context) error { _, err := f.Unrecorded(ctx, []string{"/data/none"}); return err },
	}
}

// As TestStore_readsItsOrdersAlone, of what is asked for beside orders.
func TestStore_listsNoMoreThanItShows(t *testing.T) {
	t.Parallel()
	const more, few = 20_000, 5000
	most := map[string]int{
		"counts": 2 * more, "depth": 2 * tracking.MaxDepth, // by their bounds
		"too old":            10_000,   // a thousand orders, with what there is of each
		"those due together": 3 * more, // of all that is due, half of one target's
	}
	for name, had := range map[string]int{"none": 0, "one": 1, "a few": 5, "a page": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			kept := f.keptOn(func() { f.plenty(had) })
			id := f.insert(`["/data/a.tif", "/data/b.tif"]`)
			f.take()
			looks := kept.looks(id)
			for name, look := range looks {
				require.NoError(t, look(t.Context()), name)
			}
			f.plenty(more)
			for name, look := range looks {
				read := f.reads(kept, func() { require.NoError(t, look(t.Context()), name) })
				require.Less(t, read, max(most[name], few), name)
			}
		})
	}
}
