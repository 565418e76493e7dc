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

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// manifest is an order file, a manifest or a legacy one, that is not taken
// yet. A refused one is kept because it still speaks for its files.
type manifest struct {
	path     string
	rule     int
	captures map[string]string
	record   tracking.Drop

	order    order.Order
	chosen   bool     // the author chose the UUID
	patterns []string // absolute; nil when it could not be read, and then it holds its whole folder
	literal  map[string]bool
	globs    []string
	present  bool  // take files as they are
	fault    error // why it cannot be understood, if so
	refused  bool
	taken    bool      // only its held files are still to be given back
	next     time.Time // when to look at its files again
	waiting  time.Time // since when, by our clock
	seen     map[string]observation
	held     map[string]watcher.Drop
}

// control takes note of an order file that has settled.
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
		path: d.Path, rule: d.Rule, captures: d.Captures, waiting: time.Now(),
		literal: map[string]bool{}, seen: map[string]observation{}, held: map[string]watcher.Drop{},
		record: tracking.Drop{
			Path: d.Path, Kind: tracking.DropManifest, Size: d.Size, ModTime: d.ModTime.UnixNano(),
			Digest: sum[:], UUID: prev.UUID, Version: prev.Version, FirstSeen: time.Now(),
		},
	}
	if in.config.Rules[d.Rule].Legacy {
		m.record.Kind = tracking.DropLegacy
	}
	if old := in.manifests[d.Path]; old != nil {
		m.held = old.held
	}
	same := err == nil && prev.Version > 0 && bytes.Equal(prev.Digest, sum[:])
	if same && prev.State == tracking.DropTaken {
		return in.release(ctx, m)
	}
	if err == nil {
		err = in.decode(m, data)
	}
	m.fault = err
	in.manifests[d.Path] = m
	switch {
	case same && prev.State == tracking.DropRefused && prev.ModTime == m.record.ModTime:
		// Nobody touched it since it was refused.
		m.refused = true
		return nil
	case same && prev.State == tracking.DropWaiting:
		m.record = prev
	case m.fault == nil:
		if err := in.save(ctx, m, tracking.DropWaiting, ""); err != nil {
			return err
		}
	}
	in.attempt(ctx, m)
	return nil
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

// decode understands the file's content. Its errors are the author's.
func (in *Intake) decode(m *manifest, data []byte) error {
	name := filepath.Base(m.path)
	dir := filepath.Dir(m.path)
	if m.record.Kind == tracking.DropLegacy {
		legacy, err := order.DecodeLegacy(name, data)
		if err != nil {
			return err
		}
		m.order = legacy.Order(in.config.PathMap)
		m.patterns, m.chosen = m.order.Files, m.order.UUID != ""
	} else {
		decoded, err := order.DecodeManifest(name, data)
		if err != nil {
			return err
		}
		m.order = decoded.Order()
		m.patterns, m.chosen, m.present = decoded.Patterns(dir), m.order.UUID != "", decoded.WaitFor == order.WaitPresent
	}
	for _, p := range m.patterns {
		if _, err := in.share.Rel(p); err != nil {
			return order.Errorf(order.Invalid, "%s: %w", name, err)
		}
		if order.HasMeta(p) && m.record.Kind == tracking.DropManifest {
			m.globs = append(m.globs, p)
		} else {
			m.literal[p] = true
		}
	}
	return in.authorise(m)
}

// authorise keeps a manifest from acting for another group or user than its
// folder is for.
func (in *Intake) authorise(m *manifest) error {
	rule := in.config.Rules[m.rule]
	if rule.AllowAnyUser || rule.Legacy {
		return nil
	}
	for _, c := range []struct{ what, want, got string }{
		{"group", m.captures["group"], m.order.Group}, {"user", m.captures["user"], m.order.User},
	} {
		if c.want != "" && c.want != c.got {
			return order.Errorf(order.Denied, "%s: it acts for the %s %q, but its folder is the %s %q's: put it into a folder of %q.",
				filepath.Base(m.path), c.what, c.got, c.what, c.want, c.got)
		}
	}
	return nil
}

// save records the manifest's state.
func (in *Intake) save(ctx context.Context, m *manifest, state tracking.DropState, reason string) error {
	m.record.State, m.record.Reason = state, reason
	if err := in.store.Place(ctx, []tracking.Drop{m.record}, nil); err != nil {
		return err
	}
	m.record.Version++
	return nil
}

func (in *Intake) refuse(ctx context.Context, m *manifest, why error) error {
	if c := order.ClassOf(why); c != order.Invalid && c != order.Denied {
		why = fmt.Errorf("%s: it cannot be read: %w", filepath.Base(m.path), why)
	}
	if err := in.save(ctx, m, tracking.DropRefused, why.Error()); err != nil {
		return err
	}
	m.refused = true
	in.log.WarnContext(ctx, "manifest refused", slog.String("manifest", m.path), slog.Any("error", why))
	return nil
}

// take places the manifest's order, with the records of its files.
func (in *Intake) take(ctx context.Context, m *manifest, files []found) error {
	o := m.order
	id, err := in.container(ctx, &o)
	if err != nil {
		if c := order.ClassOf(err); c == order.Invalid || c == order.Denied {
			return in.refuse(ctx, m, err)
		}
		return err
	}
	o.Destination.ID = id
	chosen := m.chosen && o.UUID != m.record.UUID
	if o.UUID == "" {
		// An edited manifest without a UUID of its own is another attempt at its order.
		o.UUID = m.record.UUID
	}
	if o.UUID == "" {
		o.UUID = uuid.NewString()
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	known, err := in.store.Drops(ctx, paths)
	if err != nil {
		return err
	}
	record := m.record
	record.State, record.Reason, record.UUID = tracking.DropTaken, "", o.UUID
	records := []tracking.Drop{record}
	for _, f := range files {
		kind := tracking.DropFile
		if f.dir {
			kind = tracking.DropFolder
		}
		records = append(records, tracking.Drop{
			Path: f.path, Kind: kind, Size: f.size, ModTime: f.mtime, State: tracking.DropTaken, UUID: o.UUID,
			Version: known[f.path].Version,
		})
	}
	o.Files = paths
	err = in.store.Place(ctx, records, []tracking.NewOrder{{Order: o, ChosenUUID: chosen}})
	if errors.Is(err, tracking.ErrDropChanged) {
		return in.reload(ctx, m)
	}
	if errors.Is(err, tracking.ErrUUIDTaken) {
		return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: the uuid %s belongs to another order: leave it out, or make a new one.",
			filepath.Base(m.path), o.UUID))
	}
	if err != nil {
		return err
	}
	m.taken = true
	in.log.InfoContext(ctx, "order placed for a manifest", slog.String("order", o.UUID), slog.String("manifest", m.path),
		slog.Int("files", len(paths)), slog.String("user", o.User))
	return in.release(ctx, m)
}

// reload follows another agent that recorded the manifest or one of its files.
func (in *Intake) reload(ctx context.Context, m *manifest) error {
	known, err := in.store.Drops(ctx, []string{m.path})
	if err != nil {
		return err
	}
	now := known[m.path]
	m.record.Version, m.record.UUID = now.Version, now.UUID
	if now.State == tracking.DropTaken && bytes.Equal(now.Digest, m.record.Digest) {
		m.taken = true
		return in.release(ctx, m)
	}
	return nil
}

// release drops the manifest and gives back the files that it held and did not
// take.
func (in *Intake) release(ctx context.Context, m *manifest) error {
	delete(in.manifests, m.path)
	held := make([]watcher.Drop, 0, len(m.held))
	for _, d := range m.held {
		held = append(held, d)
	}
	if err := in.data(ctx, held); err != nil {
		in.manifests[m.path] = m
		return err
	}
	return nil
}

// forget is for an order file that is gone.
func (in *Intake) forget(ctx context.Context, path string) error {
	m := in.manifests[path]
	if m == nil {
		return nil
	}
	if !m.refused {
		if err := in.save(ctx, m, tracking.DropRefused, "It was removed before it was taken."); err != nil {
			return err
		}
		m.refused = true
	}
	return in.release(ctx, m)
}

// holder is the manifest that a file belongs to, if any.
func (in *Intake) holder(path string) *manifest {
	for _, m := range in.manifests {
		if m.claims(path) {
			return m
		}
	}
	return nil
}

// claims reports whether the manifest names path or a folder around it. One
// that could not be understood speaks for all that lies beside it and below.
func (m *manifest) claims(path string) bool {
	if m.patterns == nil {
		return strings.HasPrefix(path, filepath.Dir(m.path)+"/")
	}
	for ; path != "/"; path = filepath.Dir(path) {
		if m.literal[path] {
			return true
		}
		for _, p := range m.globs {
			if ok, err := filepath.Match(p, path); err == nil && ok {
				return true
			}
		}
	}
	return false
}
