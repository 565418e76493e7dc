package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// data records data drops and makes orders of those that are nobody's. freed
// is the manifest that held them until now, if any. Where it fails, some of them
// may be recorded: it is to be asked again for all.
func (in *Intake) data(ctx context.Context, drops []watcher.Drop, prints map[string]uint64, freed string) error {
	if len(drops) == 0 {
		return nil
	}
	known, err := in.store.Drops(ctx, paths(drops))
	if err != nil {
		return err
	}
	over, err := in.overHolders(ctx, known)
	if err != nil {
		return err
	}
	over[freed] = true
	var records, flagged []tracking.Drop
	var groups []*group
	byKey := map[string]*group{}
	for i := range drops {
		if err := ctx.Err(); err != nil { // what manifests claim can take long to find out
			return err
		}
		d := &drops[i]
		prev := known[d.Path]
		record, verdict := in.judge(d, &prev, prints[d.Path], over)
		switch verdict {
		case leave:
		case save:
			records = append(records, record)
		case flag:
			flagged = append(flagged, record)
		case arrange:
			head, key, fault := in.head(d)
			g := byKey[key]
			if g == nil {
				g = &group{head: head, fault: fault}
				byKey[key] = g
				groups = append(groups, g)
			}
			g.records = append(g.records, record)
		}
	}
	var orders []tracking.NewOrder
	var taken []tracking.Drop
	var failed error // of groups that are left for another time
	for _, g := range groups {
		placed, err := in.orders(ctx, g)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if placed == nil {
			records = append(records, g.records...)
			continue
		}
		orders = append(orders, placed...)
		taken = append(taken, g.records...)
	}
	if err := in.findOriginals(ctx, taken); err != nil {
		return err
	}
	if records = slices.Concat(records, flagged, taken); len(records) == 0 {
		return failed
	}
	if err := in.place(ctx, records, orders); err != nil {
		return err
	}
	for _, o := range orders {
		in.log.InfoContext(ctx, "order placed for dropped files", slog.String("order", o.UUID), slog.Int("files", len(o.Files)),
			slog.String("user", o.User))
	}
	in.logDuplicates(ctx, taken)
	if len(flagged) > 0 {
		in.log.WarnContext(ctx, "files changed after they were taken, and are not imported again",
			slog.Int("files", len(flagged)), slog.String("first", flagged[0].Path))
	}
	return failed
}

// group is drops that become one order, or several if they are too many.
type group struct {
	head    order.Order // what that order is but for its files
	fault   error       // why the rule's template makes none of them
	records []tracking.Drop
}

// head is what a drop's order is but for its files, and a key that it shares
// with the drops that belong into the same one, whatever their folder.
func (in *Intake) head(d *watcher.Drop) (head order.Order, key string, err error) {
	rule := &in.config.Rules[d.Rule]
	if head, err = rule.Order(d.Captures); err != nil {
		return head, fmt.Sprintf("%d %v", d.Rule, err), err
	}
	converter := head.Converter
	if rule.Converter != nil {
		converter = rule.Converter(d.Path)
	}
	head.Converter = nil // a pointer would be another for each drop
	key = fmt.Sprintf("%d %#v", d.Rule, head)
	if head.Converter = converter; converter != nil {
		key += fmt.Sprintf(" %#v", *converter)
	}
	return head, key, nil
}

func paths(drops []watcher.Drop) []string {
	list := make([]string, len(drops))
	for i := range drops {
		list[i] = drops[i].Path
	}
	return list
}

// orders makes orders of a group's drops and puts their UUIDs into the records.
// Where the rule's template does not fit, those are refused and there are none.
func (in *Intake) orders(ctx context.Context, g *group) ([]tracking.NewOrder, error) {
	err := g.fault
	if err == nil {
		g.head.Destination.ID, err = in.container(ctx, &g.head)
	}
	if err != nil {
		if order.ClassOf(err) != order.Invalid && order.ClassOf(err) != order.Denied {
			return nil, err
		}
		for i := range g.records {
			g.records[i].State, g.records[i].Reason = tracking.DropRefused, err.Error()
		}
		in.log.WarnContext(ctx, "files refused", slog.Int("files", len(g.records)), slog.Any("error", err))
		return nil, nil
	}
	slices.SortFunc(g.records, func(a, b tracking.Drop) int { return strings.Compare(a.Path, b.Path) })
	files := make([]string, len(g.records))
	for i := range g.records {
		files[i] = g.records[i].Path
	}
	var orders []tracking.NewOrder
	rest := g.records
	for _, part := range order.DividePaths(files) {
		placed := g.head
		placed.UUID, placed.Files = uuid.NewString(), part
		for i := range part {
			rest[i].UUID = placed.UUID
		}
		rest = rest[len(part):]
		orders = append(orders, tracking.NewOrder{Order: placed})
	}
	return orders, nil
}

// findOriginals notes in the records of drops that are about to be taken which
// others have the same content, taken earlier or among them.
func (in *Intake) findOriginals(ctx context.Context, taken []tracking.Drop) error {
	if len(taken) == 0 {
		return nil
	}
	originals, err := in.store.Originals(ctx, taken)
	if err != nil {
		return err
	}
	type content struct {
		fingerprint uint64
		size        int64
	}
	first := map[content]string{} // of each content among them
	for i := range taken {
		d := &taken[i]
		c := content{d.Fingerprint, d.Size}
		switch {
		case c.fingerprint == 0:
		case originals[i] != "":
			d.DuplicateOf = originals[i]
		case first[c] != "":
			d.DuplicateOf = first[c]
		default:
			first[c] = d.Path
		}
	}
	return nil
}

// logDuplicates is for an administrator who wonders about double images.
func (in *Intake) logDuplicates(ctx context.Context, taken []tracking.Drop) {
	count := 0
	for i := range taken {
		if d := &taken[i]; d.DuplicateOf != "" {
			count++
			in.log.DebugContext(ctx, "a file has the content of another", slog.String("path", d.Path), slog.String("other", d.DuplicateOf))
		}
	}
	if count > 0 {
		in.log.InfoContext(ctx, "files with the content of others were taken", slog.Int("files", count))
	}
}
