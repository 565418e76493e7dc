package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"biomero-importer/agent/config"
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
	// OnChange is what becomes of a drop that changes after it was taken;
	// nothing is config.Reimport.
	OnChange config.OnChange
	// Priority is that of the orders that Order makes. A manifest has it too where
	// it names none.
	Priority int
	// AllowAnyUser lets a manifest act for another group or user than the
	// folder it lies in names, and name a higher priority than the rule's.
	AllowAnyUser bool
	// Legacy marks the folders of legacy order files, which lie in those of
	// groups.
	Legacy bool
}

// root is the part of the rule's path that the settings spell out.
func (r *Rule) root() string {
	if spelled, _, captures := strings.Cut(r.Path, "{"); captures {
		return filepath.Dir(spelled)
	}
	return filepath.Clean(r.Path)
}

// Config is the intake's settings.
type Config struct {
	Rules           []Rule // as the watcher's, in the same order
	ManifestTimeout time.Duration
	FullScan        time.Duration          // between two scans of all that the watcher makes
	PathMap         map[string]string      // of legacy order files: prefixes and what replaces them
	CoreGroups      []string               // whose legacy order files may act for every group
	Ignored         func(base string) bool // base names that no glob of a manifest stands for
	// Measure describes what is at a path as the watcher would hand it over, and
	// is false for what it would not; see watcher.Watcher.
	Measure func(ctx context.Context, path string) (watcher.Drop, bool, error)
	// Recorded is told of drops that were recorded, and has to return at once; nil for nobody.
	Recorded func(drops []tracking.Drop)
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

	budget time.Duration // of one inspection

	mu        sync.Mutex
	manifests register              // waiting or refused
	looking   map[string]int        // how many are being looked at, by own folder
	unread    map[string]unreadDrop // by path
	unreadAt  time.Time             // when that was logged last
}

// New makes an intake.
func New(c Config, store *tracking.Store, share *importer.Share, containers Containers, log *slog.Logger) *Intake {
	if c.Recorded == nil {
		c.Recorded = func([]tracking.Drop) {}
	}
	return &Intake{
		config: c, store: store, share: share, containers: containers, log: log,
		budget: budget, manifests: newRegister(), looking: map[string]int{}, unread: map[string]unreadDrop{},
	}
}

var _ watcher.Sink = (*Intake)(nil)

// Known implements watcher.Sink.
func (in *Intake) Known(ctx context.Context, folders []string) ([][]uint64, error) {
	return in.store.Known(ctx, folders)
}

// place records drops and places orders, together or not at all.
func (in *Intake) place(ctx context.Context, drops []tracking.Drop, orders []tracking.NewOrder) error {
	err := in.store.Place(ctx, drops, orders)
	if err == nil {
		in.config.Recorded(drops)
	}
	return err
}

// Settled implements watcher.Sink. When it returns nil, every drop is recorded
// and those that are orders are placed, but for some that were taken before and
// cannot be read now: their records are as the last time, and Run looks after
// them. When there are too many of those it does the same with the others, and
// then fails.
func (in *Intake) Settled(ctx context.Context, drops []watcher.Drop) error {
	var controls, data []watcher.Drop
	at := map[string]int{} // where in data a path is: of one that is there twice, the last counts
	for _, d := range drops {
		i, twice := at[d.Path]
		switch {
		case d.Control && in.config.Rules[d.Rule].Legacy && !order.IsLegacy(filepath.Base(d.Path)):
			// The watcher's glob cannot tell that its name is no date.
		case d.Control:
			controls = append(controls, d)
		case twice:
			data[i] = d
		default:
			at[d.Path] = len(data)
			data = append(data, d)
		}
	}
	prints, unread, err := in.fingerprints(ctx, data)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, d := range controls {
		if err := in.control(ctx, d); err != nil {
			return err
		}
	}
	data, left := in.postpone(data, unread)
	in.tellUnread(ctx, unread)
	if err := in.data(ctx, data, prints, ""); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d files that may have changed after they were taken cannot be read, and %d others wait for that already", left, maxUnread)
	}
	return nil
}
