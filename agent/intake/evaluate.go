package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/importer"
)

// observation is how a file or folder was last seen to change.
type observation struct {
	stamp stamp
	since time.Time
}

// stamp changes when the content does. Of a folder, it sums up all below it.
type stamp struct {
	size, mtime int64
}

// found is a file or folder that a manifest names.
type found struct {
	path  string
	dir   bool
	size  int64
	mtime int64 // nanoseconds since 1970; of a folder, the newest below it
}

// maxBelow bounds the walk that judges whether a folder has settled.
const maxBelow = 1_000_000

// evaluate takes the manifest if all that it names is there and settled, and
// refuses it when that has not come about in time.
func (in *Intake) evaluate(ctx context.Context, m *manifest) error {
	now := time.Now()
	var files []found
	var wanting []string
	for _, p := range m.patterns {
		matches, err := in.match(m, p)
		if fault, ok := errors.AsType[*importer.Error](err); ok {
			return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: %s", filepath.Base(m.path), fault.Reason))
		}
		if err != nil {
			return err
		}
		if len(matches) == 0 {
			wanting = append(wanting, fmt.Sprintf("%q is not there", p))
		}
		for _, f := range matches {
			files = append(files, f)
			if why := in.unsettled(m, f, now); why != "" {
				wanting = append(wanting, fmt.Sprintf("%q %s", f.path, why))
			}
		}
	}
	if len(wanting) == 0 {
		return in.take(ctx, m, distinct(files))
	}
	// As recorded, so that a restart does not begin the wait anew.
	if time.Since(m.record.FirstSeen) > in.config.ManifestTimeout {
		return in.refuse(ctx, m, order.Errorf(order.Invalid, "%s: it waited %s for its files in vain: %s.",
			filepath.Base(m.path), in.config.ManifestTimeout, shorten(wanting)))
	}
	// Often while its files are about to come, seldom when they take hours.
	m.next = now.Add(min(max(now.Sub(m.waiting)/20, 100*time.Millisecond), 15*time.Second))
	return nil
}

// shorten lists the first few.
func shorten(list []string) string {
	const few = 5
	if len(list) > few {
		return strings.Join(list[:few], ", ") + fmt.Sprintf(" and %d more", len(list)-few)
	}
	return strings.Join(list, ", ")
}

func distinct(files []found) []found {
	seen := map[string]bool{}
	return slices.DeleteFunc(files, func(f found) bool {
		if seen[f.path] {
			return true
		}
		seen[f.path] = true
		return false
	})
}

// match lists what a pattern of the manifest names. Nothing there is an empty
// list; an *importer.Error is a path that may never be used.
func (in *Intake) match(m *manifest, pattern string) ([]found, error) {
	paths := []string{pattern}
	if !m.literal[pattern] {
		var err error
		if paths, err = in.share.Glob(pattern); err != nil {
			return nil, err
		}
		paths = slices.DeleteFunc(paths, func(p string) bool {
			base := filepath.Base(p)
			return strings.HasPrefix(base, ".") || order.IsManifest(base) || isReport(base)
		})
	}
	var list []found
	for _, p := range paths {
		f, err := in.look(p)
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

// isReport tells what we wrote ourselves beside a manifest.
func isReport(base string) bool {
	return strings.HasSuffix(base, order.ReceiptSuffix) || strings.HasSuffix(base, order.RejectionSuffix)
}

// look measures a file or folder.
func (in *Intake) look(path string) (found, error) {
	resolved, info, err := in.share.Resolve(path)
	if err != nil {
		return found{}, err
	}
	f := found{path: path, dir: info.IsDir(), size: info.Size(), mtime: info.ModTime().UnixNano()}
	if !f.dir {
		return f, nil
	}
	f.size = 0
	rel, err := in.share.Rel(resolved)
	if err != nil {
		return found{}, err
	}
	n := 0
	err = fs.WalkDir(in.share.Root().FS(), rel, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if n++; n > maxBelow {
			return &importer.Error{Reason: fmt.Sprintf("%q holds more than %d files: name parts of it.", path, maxBelow)}
		}
		if !entry.IsDir() {
			f.size += info.Size()
		}
		f.mtime = max(f.mtime, info.ModTime().UnixNano())
		return nil
	})
	return f, err
}

// unsettled says what is wrong with a file that cannot be taken yet.
func (in *Intake) unsettled(m *manifest, f found, now time.Time) string {
	if m.present {
		return ""
	}
	current := stamp{size: f.size, mtime: f.mtime}
	last, seen := m.seen[f.path]
	if !seen || last.stamp != current {
		last = observation{stamp: current, since: now}
		m.seen[f.path] = last
	}
	switch settle := in.config.Rules[m.rule].Settle; {
	case f.size == 0:
		return "is empty"
	case now.Sub(last.since) < settle:
		return "is still changing"
	}
	return ""
}
