package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	literal  map[string]bool // the paths among patterns
	present  bool            // take files as they are
	fault    error           // why it cannot be understood, if so: then it speaks for its whole folder
	unread   bool            // the fault is the storage's, and may pass

	refused bool
	taken   bool // only its held files are still to be given back
	busy    bool // being looked at

	next    time.Time // when to look at its files again
	waiting time.Time // since when
	seen    map[string]observation
	held    map[string]watcher.Drop
}

// control takes note of an order file that has settled. Its files are looked
// for later, by Run.
func (in *Intake) control(ctx context.Context, d watcher.Drop) error {
	data, err := in.read(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return in.forget(ctx, d.Path)
	}
	known, lookupErr := in.store.Drops(ctx, []string{d.Path})
	if lookupErr != nil {
		return lookupErr
	}
	prev := known[d.Path]
	sum := sha256.Sum256(data)
	m := &manifest{
		path: d.Path, drop: d, own: in.own(d), waiting: time.Now(),
		literal: map[string]bool{}, seen: map[string]observation{}, held: map[string]watcher.Drop{},
		record: tracking.Drop{
			Path: d.Path, Kind: tracking.DropManifest, Size: d.Size, ModTime: d.ModTime.UnixNano(), Inode: d.Inode,
			Digest: sum[:], UUID: prev.UUID, Version: prev.Version, FirstSeen: time.Now(),
		},
	}
	if in.config.Rules[d.Rule].Legacy {
		m.record.Kind = tracking.DropLegacy
	}
	if old := in.manifests[d.Path]; old != nil {
		m.held, m.waiting = old.held, old.waiting
	}
	if err != nil {
		m.fault, m.unread = err, order.ClassOf(err) != order.Invalid
		in.manifests[d.Path] = m
		return nil
	}
	touched := prev.ModTime != m.record.ModTime
	same := prev.Version > 0 && bytes.Equal(prev.Digest, sum[:])
	// The same content under the same name again is a new request only if it
	// is another file: then it may name files that have come since.
	if same && prev.State == tracking.DropTaken && (!touched || prev.Inode == d.Inode) {
		return in.release(ctx, m)
	}
	m.fault = in.decode(m, data)
	in.manifests[d.Path] = m
	switch {
	case same && prev.State == tracking.DropRefused && !touched:
		m.refused = true
	case same && prev.State == tracking.DropWaiting:
		m.record = prev
	case m.fault == nil:
		return in.save(ctx, m, tracking.DropWaiting, "")
	}
	return nil
}

// own is the part of a drop's folder that names its group and user, or its
// rule's folder where nothing does. Manifests in it do not touch what others
// drop elsewhere.
func (in *Intake) own(d watcher.Drop) string {
	rule := &in.config.Rules[d.Rule]
	if rule.Legacy || rule.AllowAnyUser {
		return in.share.Dir()
	}
	parts := strings.Split(rule.Path, "/")
	for n := len(parts); n > 0; n-- {
		if strings.Contains(parts[n-1], "{group}") || strings.Contains(parts[n-1], "{user}") {
			return strings.Join(strings.Split(d.Dir, "/")[:n], "/")
		}
	}
	return d.Dir
}

// read returns an order file's content. It opens nothing but a regular file
// below the share.
func (in *Intake) read(path string) ([]byte, error) {
	rel, err := in.share.Rel(path)
	if err != nil {
		return nil, err
	}
	f, err := in.share.Root().OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the manifest: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the manifest: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, order.Errorf(order.Invalid, "%s: it is no regular file.", filepath.Base(path))
	}
	// One byte more than allowed tells the decoder that there is more.
	data, err := io.ReadAll(io.LimitReader(f, order.MaxManifestBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	return data, nil
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
		m.order, m.present = decoded.Order(), decoded.WaitFor == order.WaitPresent
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
	literal := map[string]bool{}
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
		if !p.Glob {
			literal[p.Path] = true
		}
		m.patterns = append(m.patterns, p)
	}
	if globs := len(m.patterns) - len(literal); globs > maxGlobs {
		return order.Errorf(order.Invalid, "%s: it has %d patterns, more than %d: name folders instead.", name, globs, maxGlobs)
	}
	m.literal = literal
	return nil
}

// authorise keeps a manifest from acting for another group or user than its
// folder is for.
func (in *Intake) authorise(m *manifest) error {
	rule := in.config.Rules[m.drop.Rule]
	if rule.AllowAnyUser || rule.Legacy {
		return nil
	}
	group, user := m.drop.Captures["group"], m.drop.Captures["user"]
	if rule.Order != nil {
		if head, err := rule.Order(m.drop.Captures); err == nil {
			group, user = head.Group, head.User
		}
	}
	for _, c := range []struct{ what, want, got string }{{"group", group, m.order.Group}, {"user", user, m.order.User}} {
		if c.want != "" && c.want != c.got {
			return order.Errorf(order.Denied, "%s: it acts for the %s %q, but its folder is the %s %q's: put it into a folder of %q.",
				filepath.Base(m.path), c.what, c.got, c.what, c.want, c.got)
		}
	}
	return nil
}

// holder is the manifest that a file belongs to, if any.
func (in *Intake) holder(path string) *manifest {
	for _, m := range in.manifests {
		if !m.taken && m.claims(path) {
			return m
		}
	}
	return nil
}

// claims reports whether the manifest names path or a folder around it, among
// what is its own. One that could not be understood speaks for all that lies
// beside it and below.
func (m *manifest) claims(path string) bool {
	if m.fault != nil {
		return strings.HasPrefix(path, filepath.Dir(m.path)+"/")
	}
	for ; strings.HasPrefix(path, m.own+"/"); path = filepath.Dir(path) {
		if m.literal[path] {
			return true
		}
		for _, p := range m.patterns {
			if !p.Glob {
				continue
			}
			if ok, err := filepath.Match(p.Path, path); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// save records the manifest's state.
func (in *Intake) save(ctx context.Context, m *manifest, state tracking.DropState, reason string) error {
	record := m.record
	record.State, record.Reason = state, reason
	err := in.store.Place(ctx, []tracking.Drop{record}, nil)
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

// release drops the manifest and gives back the files that it held and did not
// take. One that changed since it was held is left to the watcher, which hands
// it over again.
func (in *Intake) release(ctx context.Context, m *manifest) error {
	delete(in.manifests, m.path)
	held := make([]watcher.Drop, 0, len(m.held))
	for _, d := range m.held {
		rel, err := in.share.Rel(d.Path)
		if err != nil {
			continue
		}
		info, err := in.share.Root().Lstat(rel)
		if err == nil && (d.IsDir || info.Size() == d.Size && info.ModTime().Equal(d.ModTime)) {
			held = append(held, d)
		}
	}
	if err := in.data(ctx, held, m.path); err != nil {
		m.taken = true
		in.manifests[m.path] = m
		return err
	}
	return nil
}

// forget is for an order file that is gone.
func (in *Intake) forget(ctx context.Context, path string) error {
	known, err := in.store.Drops(ctx, []string{path})
	if err != nil {
		return err
	}
	if d, ok := known[path]; ok && (d.State == tracking.DropWaiting || d.State == tracking.DropRefused) {
		d.State, d.Reason = tracking.DropGone, "It was removed before it was taken."
		if err := in.store.Place(ctx, []tracking.Drop{d}, nil); err != nil && !errors.Is(err, tracking.ErrDropChanged) {
			return err
		}
	}
	if m := in.manifests[path]; m != nil {
		return in.release(ctx, m)
	}
	return nil
}

// unseen stands for a manifest that a file was held for before a restart, until
// the watcher shows it, or shows that it is gone.
func (in *Intake) unseen(path string) *manifest {
	m := &manifest{path: path, refused: true, waiting: time.Now(), held: map[string]watcher.Drop{}}
	in.manifests[path] = m
	return m
}
