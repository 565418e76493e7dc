package intake

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// Rule is what to do with the drops of one of the watcher's rules.
type Rule struct {
	// Path is the watcher rule's, with its captures in braces.
	Path string
	// Order makes an order's head from the parts of the path that the rule
	// names; nil where only manifests count.
	Order func(captures map[string]string) (order.Order, error)
	// Converter chooses the preprocessing of a file; nil for none.
	Converter func(path string) *order.Converter
	Settle    time.Duration
	// AllowAnyUser lets a manifest act for another group or user than the
	// folder it lies in names.
	AllowAnyUser bool
	// Legacy marks the folders of legacy order files.
	Legacy bool
}

// Config is the intake's settings.
type Config struct {
	Rules           []Rule // as the watcher's, in the same order
	ManifestTimeout time.Duration
	PathMap         map[string]string      // of legacy order files: prefixes and what replaces them
	Ignored         func(base string) bool // base names that no glob of a manifest stands for
}

// Containers finds a Dataset or Screen by name, or makes it.
type Containers interface {
	Container(ctx context.Context, c importer.Container) (int64, error)
}

// Intake is the watcher's sink.
type Intake struct {
	config     Config
	store      *tracking.Store
	share      *importer.Share
	containers Containers
	log        *slog.Logger

	mu        sync.Mutex
	manifests map[string]*manifest // waiting or refused, by path
}

// New makes an intake.
func New(c Config, store *tracking.Store, share *importer.Share, containers Containers, log *slog.Logger) *Intake {
	return &Intake{
		config: c, store: store, share: share, containers: containers, log: log,
		manifests: map[string]*manifest{},
	}
}

var _ watcher.Sink = (*Intake)(nil)

// Settled implements watcher.Sink. When it returns nil, every drop is recorded
// and those that are orders are placed.
func (in *Intake) Settled(ctx context.Context, drops []watcher.Drop) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	var data []watcher.Drop
	for _, d := range drops {
		if !d.Control {
			data = append(data, d)
			continue
		}
		if err := in.control(ctx, d); err != nil {
			return err
		}
	}
	return in.data(ctx, data, "")
}

// data records data drops and makes orders of those that are nobody's. freed
// is the manifest that held them until now, if any.
func (in *Intake) data(ctx context.Context, drops []watcher.Drop, freed string) error {
	if len(drops) == 0 {
		return nil
	}
	known, err := in.store.Drops(ctx, paths(drops))
	if err != nil {
		return err
	}
	var records []tracking.Drop
	var groups []*group
	byKey := map[groupKey]*group{}
	for _, d := range drops {
		record, ours := in.sort(d, known, freed)
		if record == nil {
			continue
		}
		if !ours {
			records = append(records, *record)
			continue
		}
		key, converter := in.groupOf(d)
		g := byKey[key]
		if g == nil {
			g = &group{rule: d.Rule, captures: d.Captures, converter: converter}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.records = append(g.records, *record)
	}
	var orders []tracking.NewOrder
	for _, g := range groups {
		placed, err := in.order(ctx, g)
		if err != nil {
			return err
		}
		if placed != nil {
			orders = append(orders, tracking.NewOrder{Order: *placed})
		}
		records = append(records, g.records...)
	}
	if len(records) == 0 {
		return nil
	}
	if err := in.store.Place(ctx, records, orders); err != nil {
		return err
	}
	for _, o := range orders {
		in.log.InfoContext(ctx, "order placed for dropped files", slog.String("order", o.UUID), slog.Int("files", len(o.Files)),
			slog.String("user", o.User))
	}
	return nil
}

// group is drops that become one order.
type group struct {
	rule      int
	captures  map[string]string
	converter *order.Converter
	records   []tracking.Drop
}

// groupKey tells apart drops that cannot share an order.
type groupKey struct {
	rule      int
	dir       string
	converter string
}

func (in *Intake) groupOf(d watcher.Drop) (groupKey, *order.Converter) {
	key := groupKey{rule: d.Rule, dir: d.Dir}
	rule := &in.config.Rules[d.Rule]
	if rule.Converter == nil {
		return key, nil
	}
	converter := rule.Converter(d.Path)
	if converter != nil {
		key.converter = fmt.Sprintf("%+v", *converter)
	}
	return key, converter
}

// sort decides what a data drop is: nil for one that is recorded already,
// otherwise its record, and whether it is to become part of an order.
func (in *Intake) sort(d watcher.Drop, known map[string]tracking.Drop, freed string) (record *tracking.Drop, ours bool) {
	prev, seen := known[d.Path]
	record = &tracking.Drop{
		Path: d.Path, Kind: tracking.DropFile, Size: d.Size, ModTime: d.ModTime.UnixNano(), Inode: d.Inode,
		State: tracking.DropTaken, Version: prev.Version,
	}
	if d.IsDir {
		record.Kind = tracking.DropFolder
	}
	same := seen && prev.Size == record.Size && prev.ModTime == record.ModTime
	if same && (prev.State == tracking.DropTaken || prev.State == tracking.DropRefused) {
		return nil, false
	}
	holder := in.holder(d.Path)
	if holder == nil && same && prev.State == tracking.DropHeld && prev.Holder != freed && in.manifests[prev.Holder] == nil {
		holder = in.unseen(prev.Holder)
	}
	if holder != nil {
		holder.held[d.Path] = d
		if same && prev.State == tracking.DropHeld && prev.Holder == holder.path {
			return nil, false
		}
		record.State, record.Holder = tracking.DropHeld, holder.path
		record.Reason = "It waits for the manifest " + filepath.Base(holder.path) + "."
		return record, false
	}
	if reason := unfit(d); reason != "" {
		record.State, record.Reason = tracking.DropRefused, reason
		return record, false
	}
	return record, true
}

// unfit says what keeps a file from ever being imported as it is.
func unfit(d watcher.Drop) string {
	switch {
	case !utf8.ValidString(d.Path):
		return fmt.Sprintf("Its name %q is not valid UTF-8, which OMERO cannot store: rename it.", d.Path)
	case !d.IsDir && d.Size == 0:
		return "The file is empty."
	}
	return ""
}

func paths(drops []watcher.Drop) []string {
	list := make([]string, len(drops))
	for i := range drops {
		list[i] = drops[i].Path
	}
	return list
}

// order makes an order of a group's drops and puts its UUID into their
// records. Where the rule's template does not fit, they are refused and the
// order is nil.
func (in *Intake) order(ctx context.Context, g *group) (*order.Order, error) {
	rule := in.config.Rules[g.rule]
	made, err := rule.Order(g.captures)
	if err == nil {
		made.Destination.ID, err = in.container(ctx, &made)
	}
	if err != nil {
		if order.ClassOf(err) != order.Invalid && order.ClassOf(err) != order.Denied {
			return nil, err
		}
		for i := range g.records {
			g.records[i].State, g.records[i].Reason = tracking.DropRefused, err.Error()
		}
		in.log.WarnContext(ctx, "files refused", slog.Int("files", len(g.records)), slog.Any("error", err))
		return nil, nil //nolint:nilnil // documented
	}
	made.UUID = uuid.NewString()
	for i := range g.records {
		g.records[i].UUID = made.UUID
		made.Files = append(made.Files, g.records[i].Path)
	}
	slices.Sort(made.Files)
	made.Converter = g.converter
	return &made, nil
}
