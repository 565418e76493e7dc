package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// manifest is an order file, a manifest or a legacy one, that is not taken
// yet. A refused one is kept because it still speaks for its files.
type manifest struct {
	path   string
	drop   watcher.Drop
	own    string // the folder that belongs to whoever the manifest may act for
	record tracking.Drop

	order    order.Order
	chosen   bool // the author chose the UUID
	patterns []order.Pattern
	needs    sums  // of the patterns
	present  bool  // take files as they are
	fault    error // why it cannot be understood, if so: then it speaks for its whole folder
	unread   bool  // the fault is the storage's, and may pass
	crowded  bool  // the fault is that others ask for too much, and passes

	refused bool
	taken   bool // only its held files are still to be given back
	unseen  bool // stands for one that a file was held for before a restart
	absent  bool // it is gone, and may be back before the watcher notices
	resaved bool // was taken with the same content as another file
	busy    bool // being looked at

	next    time.Time     // when to look at its files again
	pause   time.Duration // before that, where nothing is about to happen
	waiting time.Time     // since when; of an absent one, since when it is gone
	seen    map[string]observation
	held    map[string]heldDrop
}

// idle reports whether there are no files to look for.
func (m *manifest) idle() bool {
	return m.refused || m.taken || m.unseen || m.absent || m.fault != nil
}

// heldDrop is a drop that waits for a manifest, with its fingerprint.
type heldDrop struct {
	watcher.Drop
	content uint64
	gone    time.Time // since when it is not there; zero while it is
}

// control takes note of an order file that has settled. Its files are looked
// for later, by Run. One whose path is not UTF-8 is refused and holds nothing:
// neither its report nor the records of its files could name it. One that has
// changed since is left as it was: the watcher shows it again.
func (in *Intake) control(ctx context.Context, d watcher.Drop) error {
	data, err := in.read(d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return in.forget(ctx, d)
	case errors.Is(err, errMoved):
		return nil
	}
	known, lookupErr := in.store.Drops(ctx, []string{d.Path})
	if lookupErr != nil {
		return lookupErr
	}
	prev := known[d.Path]
	sum := sha256.Sum256(data)
	m := in.newManifest(d)
	m.record.Size, m.record.ModTime, m.record.Inode = d.Size, d.ModTime.UnixNano(), d.Inode
	m.record.Digest, m.record.UUID, m.record.Version = sum[:], prev.UUID, prev.Version
	touched := prev.ModTime != m.record.ModTime
	if fault := nameFault(d.Path); fault != nil {
		if prev.State == tracking.DropRefused && !touched {
			return nil
		}
		return in.refuse(ctx, m, fault)
	}
	old := in.manifests.byPath[d.Path]
	if old == nil {
		old = &manifest{}
	} else {
		m.held = old.held
	}
	if err != nil {
		m.fault, m.unread = err, order.ClassOf(err) != order.Invalid
		if m.unread && old.unread {
			m.waiting, m.next, m.pause = old.waiting, old.next, old.pause
			m.record, m.refused = old.record, old.refused
		}
		in.manifests.put(m)
		return nil
	}
	same := prev.Version > 0 && bytes.Equal(prev.Digest, sum[:])
	// The same content under the same name again is a new request only if it is
	// another file, and only if it names files that have come since.
	if same && prev.State == tracking.DropTaken && (!touched || prev.Inode == d.Inode) {
		return in.release(ctx, m)
	}
	if m.fault = in.decode(m, data); m.fault != nil {
		m.order, m.patterns = order.Order{}, nil // of no more use, and maybe large
	}
	why := ""
	if m.crowded = errors.Is(m.fault, errCrowded); m.crowded {
		why = "It is taken up once others that wait below " + m.own + " are done: together they name too many files or patterns."
		if old.crowded {
			m.waiting = old.waiting
		}
	}
	in.manifests.put(m)
	switch {
	case same && prev.State == tracking.DropRefused && !touched:
		m.refused = true
	case same && prev.State == tracking.DropTaken:
		m.resaved = true
	case m.fault != nil && !m.crowded:
	case same && prev.State == tracking.DropWaiting && prev.Reason == why:
		m.record = prev
	default:
		if err := in.save(ctx, m, tracking.DropWaiting, why); err != nil {
			return err
		}
	}
	if m.fault == nil {
		return in.giveBack(ctx, m)
	}
	return nil // what it named before may still be meant
}

func (in *Intake) newManifest(d watcher.Drop) *manifest {
	m := &manifest{
		path: d.Path, drop: d, own: in.own(d), waiting: time.Now(),
		seen: map[string]observation{}, held: map[string]heldDrop{},
		record: tracking.Drop{Path: d.Path, Kind: tracking.DropManifest, FirstSeen: time.Now()},
	}
	if in.config.Rules[d.Rule].Legacy {
		m.record.Kind = tracking.DropLegacy
	}
	return m
}

// own is the part of a drop's folder that names its group and user, or its
// rule's folder where nothing does. Manifests in it do not touch what others
// drop elsewhere.
func (in *Intake) own(d watcher.Drop) string {
	rule := &in.config.Rules[d.Rule]
	switch {
	case rule.AllowAnyUser, rule.Legacy && in.isCore(d):
		return strings.TrimSuffix(in.share.Dir(), "/")
	case rule.Legacy:
		return filepath.Dir(d.Dir)
	}
	parts := strings.Split(rule.Path, "/")
	for n := len(parts); n > 0; n-- {
		if strings.Contains(parts[n-1], "{group}") || strings.Contains(parts[n-1], "{user}") {
			return strings.Join(strings.Split(d.Dir, "/")[:n], "/")
		}
	}
	return d.Dir
}

// isCore reports whether a legacy order file may act for every group.
func (in *Intake) isCore(d watcher.Drop) bool {
	return slices.Contains(in.config.CoreGroups, d.Captures["group"])
}

// read returns an order file's content, if it is as it was handed over.
func (in *Intake) read(d watcher.Drop) ([]byte, error) {
	folder, err := openFolder(in.share, in.config.Rules[d.Rule].root(), filepath.Dir(d.Path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	data, info, err := readOrderFile(folder, filepath.Base(d.Path))
	if err == nil && !isAs(info, &d) {
		err = errMoved
	}
	return data, err
}

// maxGlobs bounds the searches that one manifest can ask for.
const maxGlobs = 100

// decode understands the file's content. Its errors are the author's.
func (in *Intake) decode(m *manifest, data []byte) error {
	name := filepath.Base(m.path)
	var patterns []order.Pattern
	if m.record.Kind == tracking.DropLegacy {
		legacy, err := order.DecodeLegacy(name, data)
		if err != nil {
			return err
		}
		m.order = legacy.Order(in.config.PathMap)
		for _, f := range m.order.Files {
			patterns = append(patterns, order.Pattern{Path: f})
		}
	} else {
		decoded, err := order.DecodeManifest(name, data)
		if err != nil {
			return err
		}
		m.order, m.present = decoded.Order(in.config.Rules[m.drop.Rule].Priority), decoded.WaitFor == order.WaitPresent
		patterns = decoded.Patterns(filepath.Dir(m.path))
	}
	m.chosen = m.order.UUID != ""
	if err := in.authorise(m); err != nil {
		return err
	}
	return in.choose(m, patterns)
}

// choose keeps each pattern once, if it may name anything at all.
func (in *Intake) choose(m *manifest, patterns []order.Pattern) error {
	name := filepath.Base(m.path)
	known := map[order.Pattern]bool{}
	for _, p := range patterns {
		if known[p] {
			continue
		}
		known[p] = true
		if _, err := in.share.Rel(p.Path); err != nil {
			return order.Errorf(order.Invalid, "%s: %w", name, err)
		}
		base := filepath.Base(p.Path)
		if !p.Glob && (order.IsManifest(base) || isReport(base)) {
			return order.Errorf(order.Invalid, "%s: the file %q is a manifest or a receipt, not data.", name, base)
		}
		m.patterns = append(m.patterns, p)
	}
	m.needs.add(m.patterns, 1)
	switch {
	case m.needs.globs > maxGlobs:
		return order.Errorf(order.Invalid, "%s: it has %d patterns, more than %d: name folders instead.", name, m.needs.globs, maxGlobs)
	case m.needs.names > mostWaiting.names:
		return order.Errorf(order.Invalid, "%s: it names %d files, more than %d: name folders instead.", name, m.needs.names, mostWaiting.names)
	case !in.manifests.fits(m), !in.manifests.turn(m):
		return errCrowded
	}
	return nil
}

// errCrowded says that there is no room for a manifest beside those that wait.
var errCrowded = errors.New("too many others wait")

// admit reads the manifest again that has waited longest for room where m does, if
// there is room by now.
func (in *Intake) admit(ctx context.Context, m *manifest) error {
	if !in.manifests.fits(m) {
		return nil
	}
	for other := range in.manifests.all() {
		if other.crowded && other.own == m.own && other.waiting.Before(m.waiting) {
			m = other
		}
	}
	if !in.manifests.fits(m) {
		return nil
	}
	return in.control(ctx, m.drop)
}

// authorise keeps a manifest from acting for another group or user than its
// folder is for, and from being more urgent than that.
func (in *Intake) authorise(m *manifest) error {
	rule := in.config.Rules[m.drop.Rule]
	group, user := m.drop.Captures["group"], m.drop.Captures["user"]
	switch {
	case rule.AllowAnyUser, rule.Legacy && (in.isCore(m.drop) || m.order.Group == group):
		return nil
	case rule.Legacy:
		return order.Errorf(order.Denied, "%s: it acts for the group %q, but its folder is the group %[3]q's: put it into the folder of %[2]q, or ask the administrator to name %[3]q in the setting legacy.core_groups.",
			filepath.Base(m.path), m.order.Group, group)
	}
	if rule.Order != nil {
		head, err := rule.Order(m.drop.Captures)
		if err != nil {
			return order.Errorf(order.Denied, "%s: its folder does not say for whom it may act: %w", filepath.Base(m.path), err)
		}
		group, user = head.Group, head.User
	}
	for _, c := range []struct{ what, want, got string }{{"group", group, m.order.Group}, {"user", user, m.order.User}} {
		if c.want != "" && c.want != c.got {
			return order.Errorf(order.Denied, "%s: it acts for the %s %q, but its folder is the %s %q's: put it into a folder of %q.",
				filepath.Base(m.path), c.what, c.got, c.what, c.want, c.got)
		}
	}
	if m.order.Priority > rule.Priority {
		return order.Errorf(order.Denied, "%s: its priority is %d, but in its folder it may be %d at most: lower it, or leave it out.",
			filepath.Base(m.path), m.order.Priority, rule.Priority)
	}
	return nil
}

// save records the manifest's state.
func (in *Intake) save(ctx context.Context, m *manifest, state tracking.DropState, reason string) error {
	record := m.record
	record.State, record.Reason = state, reason
	err := in.place(ctx, []tracking.Drop{record}, nil)
	if errors.Is(err, tracking.ErrDropChanged) {
		return in.adopt(ctx, m)
	}
	if err != nil {
		return err
	}
	record.Version++
	m.record = record
	m.refused = state == tracking.DropRefused
	return nil
}

// adopt follows another agent that recorded the manifest, or one of its files,
// first.
func (in *Intake) adopt(ctx context.Context, m *manifest) error {
	known, err := in.store.Drops(ctx, []string{m.path})
	if err != nil {
		return err
	}
	now := known[m.path]
	m.record.Version, m.record.UUID = now.Version, now.UUID
	if bytes.Equal(now.Digest, m.record.Digest) {
		m.taken, m.refused = now.State == tracking.DropTaken, now.State == tracking.DropRefused
	}
	if m.taken {
		return in.release(ctx, m)
	}
	return nil
}

func (in *Intake) refuse(ctx context.Context, m *manifest, why error) error {
	if c := order.ClassOf(why); c != order.Invalid && c != order.Denied {
		why = fmt.Errorf("%s: it cannot be read: %w", filepath.Base(m.path), why)
	}
	if err := in.save(ctx, m, tracking.DropRefused, why.Error()); err != nil {
		return err
	}
	in.log.WarnContext(ctx, "manifest refused", slog.String("manifest", m.path), slog.Any("error", why))
	return nil
}

// forget is for an order file that is gone. It claims nothing any more, but it is
// looked for until the watcher would show it again.
func (in *Intake) forget(ctx context.Context, d watcher.Drop) error {
	if err := in.recordGone(ctx, d.Path); err != nil {
		return err
	}
	away := &manifest{path: d.Path, drop: d, own: in.own(d), absent: true, waiting: time.Now(), held: map[string]heldDrop{}}
	if m := in.manifests.byPath[d.Path]; m != nil {
		if m.taken {
			return in.release(ctx, m)
		}
		away.held = m.held
	}
	in.manifests.put(away)
	return in.giveBack(ctx, away)
}

func (in *Intake) recordGone(ctx context.Context, path string) error {
	known, err := in.store.Drops(ctx, []string{path})
	if err != nil {
		return err
	}
	d, ok := known[path]
	if !ok || (d.State != tracking.DropWaiting && d.State != tracking.DropRefused) {
		return nil
	}
	d.State, d.Reason = tracking.DropGone, "It was removed before it was taken."
	if err := in.place(ctx, []tracking.Drop{d}, nil); err != nil && !errors.Is(err, tracking.ErrDropChanged) {
		return err
	}
	return nil
}

// await is for a manifest that was gone: it is read again when it is back.
func (in *Intake) await(ctx context.Context, m *manifest, gone bool) error {
	switch {
	case in.stayedAway(m.waiting):
		return in.release(ctx, m)
	case gone:
		return in.giveBack(ctx, m)
	}
	return in.control(ctx, m.drop)
}
