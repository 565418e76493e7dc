package tracking_test

import (
	"context"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

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
