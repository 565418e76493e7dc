package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// observation is how a file or folder was last seen to change.
type observation struct {
	stamp stamp
	since time.Time
}

// stamp changes when the content does. Of a folder, it sums up all below it.
type stamp struct {
	size, mtime int64
	files       int
	mark        uint64
}

// found is a file or folder that a manifest names.
type found struct {
	path   string
	dir    bool
	size   int64   // of a folder, of all files below it
	mtime  int64   // nanoseconds since 1970; of a folder, the newest of a file below it
	inside []found // the files and units of a folder that is no image of its own
	// unit is a folder as the watcher shows it, where that makes one drop of it.
	unit *watcher.Drop
}

// inspection is what was found of a manifest's files.
type inspection struct {
	gone    bool // the manifest itself is no longer there
	files   []found
	wanting []string                // what keeps it from being taken yet
	fault   error                   // what keeps it from ever being taken
	drops   map[string]watcher.Drop // the files as the watcher shows them, once all are there
	prints  map[string]uint64       // and their fingerprints
}

// budget bounds the time that one inspection may take: one that names a large
// part of a slow share must not keep the others waiting.
const budget = 30 * time.Second

// minQuiet is how long a file must not change at the least: one look cannot
// tell.
const minQuiet = time.Second

// inspect looks for the manifest, and for its files unless it is idle. It changes
// nothing but m.seen, and runs without the lock: only one at a time of one manifest.
func (in *Intake) inspect(ctx context.Context, m *manifest, idle bool) (i inspection) {
	ctx, cancel := context.WithTimeout(ctx, in.budget)
	defer cancel()
	rel, err := in.share.Rel(m.path)
	if err != nil {
		i.fault = err
		return i
	}
	if _, err := in.share.Root().Lstat(rel); errors.Is(err, fs.ErrNotExist) {
		i.gone = true
		return i
	}
	if idle {
		return i
	}
	inside := 0 // files in folders
	seen := map[string]bool{}
	for _, p := range m.patterns {
		matches, err := in.match(ctx, p)
		switch fault, own := errors.AsType[*importer.Error](err); {
		case own:
			i.fault = order.Errorf(order.Invalid, "%s: %s", filepath.Base(m.path), fault.Reason)
			return i
		case errors.Is(err, context.DeadlineExceeded):
			i.wanting = append(i.wanting, fmt.Sprintf("%q could not be looked through in %s", p.Path, in.budget))
			return i // the others neither
		case err != nil:
			i.wanting = append(i.wanting, fmt.Sprintf("%q cannot be read now (%v)", p.Path, err))
			continue
		case len(matches) == 0:
			i.wanting = append(i.wanting, fmt.Sprintf("%q is not there", p.Path))
		}
		for _, f := range matches {
			if seen[f.path] {
				continue
			}
			seen[f.path] = true
			if inside += len(f.inside); inside > importer.MaxImages {
				i.fault = order.Errorf(order.Invalid, "%s: the folders that it names hold more than %d files together: name fewer of them at a time.",
					filepath.Base(m.path), importer.MaxImages)
				return i
			}
			i.files = append(i.files, f)
			if why := in.unsettled(m, &f); why != "" {
				i.wanting = append(i.wanting, fmt.Sprintf("%q %s", f.path, why))
			}
		}
	}
	if len(i.wanting) == 0 {
		if i.drops, err = in.drops(ctx, m, i.files); err != nil {
			i.wanting = append(i.wanting, fmt.Sprintf("its files cannot be measured now (%v)", err))
		}
		i.prints = in.fingerprintsOf(ctx, i.drops)
	}
	return i
}

// drops describes the files, those inside folders too, as the watcher shows
// them, so that it is known again when it does; those that it does not show as
// they were found.
func (in *Intake) drops(ctx context.Context, m *manifest, files []found) (map[string]watcher.Drop, error) {
	drops := map[string]watcher.Drop{}
	for _, f := range files {
		for _, f := range append(slices.Clip(f.inside), f) {
			if !strings.HasPrefix(f.path, m.own+"/") {
				continue // it has no record
			}
			if f.unit != nil {
				drops[f.path] = *f.unit
				continue
			}
			drop, ok, err := in.config.Measure(ctx, f.path)
			if err != nil {
				return nil, err
			}
			if !ok {
				drop = watcher.Drop{Path: f.path, IsDir: f.dir, Size: f.size, ModTime: time.Unix(0, f.mtime)}
			}
			drops[f.path] = drop
		}
	}
	return drops, nil
}

// fingerprintsOf condenses the drops, as far as ctx leaves the time.
func (in *Intake) fingerprintsOf(ctx context.Context, drops map[string]watcher.Drop) map[string]uint64 {
	prints, _, err := in.fingerprints(ctx, slices.Collect(maps.Values(drops)))
	if err != nil {
		in.log.DebugContext(ctx, "a manifest's files have no fingerprints", slog.Any("error", err))
	}
	return prints
}

// shorten lists the first few.
func shorten(list []string) string {
	const few = 5
	if len(list) > few {
		return strings.Join(list[:few], ", ") + fmt.Sprintf(" and %d more", len(list)-few)
	}
	return strings.Join(list, ", ")
}

// match lists what a pattern names. Nothing there is an empty list; an
// *importer.Error is a path that may never be used.
func (in *Intake) match(ctx context.Context, p order.Pattern) ([]found, error) {
	paths := []string{p.Path}
	if p.Glob {
		var err error
		if paths, err = in.share.Glob(ctx, p.Path); err != nil {
			return nil, err
		}
		paths = slices.DeleteFunc(paths, func(path string) bool { return !in.isData(p.Path, path) })
	}
	var list []found
	for _, path := range paths {
		f, err := in.look(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// isData keeps from a glob's matches what is never a drop. Parts of the path
// that the pattern spells out are its author's choice.
func (in *Intake) isData(pattern, path string) bool {
	spelled := strings.Split(pattern, "/")
	for i, part := range strings.Split(path, "/") {
		if i < len(spelled) && spelled[i] == part {
			continue
		}
		if strings.HasPrefix(part, ".") || in.config.Ignored(part) {
			return false
		}
	}
	base := filepath.Base(path)
	return !order.IsManifest(base) && !isReport(base)
}

// isReport tells what we wrote ourselves beside a manifest.
func isReport(base string) bool {
	return strings.HasSuffix(base, order.ReceiptSuffix) || strings.HasSuffix(base, order.RejectionSuffix)
}

// look measures a file or folder.
func (in *Intake) look(ctx context.Context, path string) (found, error) {
	if err := ctx.Err(); err != nil {
		return found{}, err
	}
	resolved, info, err := in.share.Resolve(path)
	if err != nil {
		return found{}, err
	}
	if !info.IsDir() {
		return found{path: path, size: info.Size(), mtime: info.ModTime().UnixNano()}, nil
	}
	unit, ok, err := in.config.Measure(ctx, path)
	if err != nil {
		return found{}, err
	}
	if ok && unit.IsDir {
		return foundUnit(&unit), nil
	}
	f := found{path: path, dir: true}
	rel, err := in.share.Rel(resolved)
	if err != nil {
		return found{}, err
	}
	files, zarr := 0, importer.IsZarr(path)
	add := func(one found) error {
		f.size += one.size
		f.mtime = max(f.mtime, one.mtime)
		if files++; zarr {
			return nil
		}
		if files > importer.MaxImages {
			return &importer.Error{Reason: fmt.Sprintf("%q holds more than %d files: name parts of it.", path, importer.MaxImages)}
		}
		f.inside = append(f.inside, one)
		return nil
	}
	err = fs.WalkDir(in.share.Root().FS(), rel, func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || name == rel || zarr && entry.IsDir() {
			return err
		}
		inside := filepath.Join(path, strings.TrimPrefix(name, rel))
		switch base := entry.Name(); {
		case zarr:
		case in.config.Ignored(base) && entry.IsDir():
			return fs.SkipDir
		case in.config.Ignored(base), order.IsManifest(base), isReport(base):
			return nil // never a drop; a manifest has a record of its own
		}
		if entry.IsDir() {
			// What the watcher shows as one drop is one here, and not its files.
			unit, ok, err := in.config.Measure(ctx, inside)
			if err != nil || !ok {
				return err
			}
			return cmp.Or(add(foundUnit(&unit)), fs.SkipDir)
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return add(found{path: inside, size: info.Size(), mtime: info.ModTime().UnixNano()})
	})
	return f, err
}

func foundUnit(d *watcher.Drop) found {
	return found{path: d.Path, dir: true, size: d.Size, mtime: d.ModTime.UnixNano(), unit: d}
}

// quiet is how long a manifest's files must not change.
func (in *Intake) quiet(m *manifest) time.Duration {
	return max(in.config.Rules[m.drop.Rule].Settle, minQuiet)
}

// unsettled says what is wrong with a file that cannot be taken yet.
func (in *Intake) unsettled(m *manifest, f *found) string {
	if m.present {
		return ""
	}
	now := time.Now()
	current := stamp{size: f.size, mtime: f.mtime, files: len(f.inside)}
	if f.unit != nil {
		current.mark = f.unit.Mark
	}
	last, seen := m.seen[f.path]
	if !seen || last.stamp != current {
		last = observation{stamp: current, since: now}
		m.seen[f.path] = last
	}
	switch {
	case f.size == 0:
		return "is empty"
	case now.Sub(last.since) < in.quiet(m):
		return "is still changing"
	}
	return ""
}
