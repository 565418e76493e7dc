package watcher

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/time/rate"
)

// Measure tells as what the drop at path, an absolute one, would be handed over
// in its present state, settled or not. It is false for what is no drop of its
// own: no rule is for it, it lies in a folder that is one, or it is not there. A
// companion of a main file counts as a drop here.
func (w *Watcher) Measure(ctx context.Context, path string) (Drop, bool, error) {
	dir, name := split(path)
	parent, root := w.folderAt(dir)
	if parent == nil || (parent.unit != nil && parent.unit.home != parent) {
		return Drop{}, false, nil
	}
	f, err := openFolder(root, dir)
	if gone(err) {
		return Drop{}, false, nil
	}
	if err != nil {
		return Drop{}, false, fmt.Errorf("measuring %q: %w", path, err)
	}
	defer f.close()
	in, err := f.look(name)
	if gone(err) {
		return Drop{}, false, nil
	}
	if err != nil {
		return Drop{}, false, err
	}
	parent.fs = f.filesystem()
	job := walkJob{root: root, path: dir}
	n := parent
	switch k := parent.kindOf(&w.match.ignore, name); {
	case in.isFile() && k == data:
		drop := parent.drop(path, &in, false)
		drop.Mark = parent.markOf(name, k, &in)
		return drop, true, nil
	case in.isFile() && k == mainly:
		job.main = name
		job.format, job.stem = formatOf(lower(name))
	case in.isDir():
		if n, _ = w.folderAt(path); n == nil || n.unit == nil || n.unit.home != n {
			return Drop{}, false, nil
		}
		job.path, job.zarr = path, n.leaf
	default:
		return Drop{}, false, nil
	}
	done, err := w.walk(ctx, n, job)
	if err != nil {
		return Drop{}, false, err
	}
	return n.unitDrop(path, &done), true, nil
}

// walk measures a unit that belongs to the node, as fast as it can.
func (w *Watcher) walk(ctx context.Context, n *node, job walkJob) (walkDone, error) {
	job.rule, job.spot = n.place.rule, &n.spot
	done := walkDone{walkJob: job}
	walk := &walker{match: w.match, limit: rate.NewLimiter(rate.Inf, 0)}
	if err := walk.walk(ctx, &done); err != nil {
		return done, fmt.Errorf("measuring %q: %w", join(job.path, job.main), err)
	}
	return done, nil
}

// Control tells as what the control file at path, an absolute one, would be handed
// over, without looking at it. It is false where no rule is for it.
func (w *Watcher) Control(path string) (Drop, bool) {
	dir, name := split(path)
	parent, _ := w.folderAt(dir)
	if parent == nil || parent.kindOf(&w.match.ignore, name) != control {
		return Drop{}, false
	}
	return parent.drop(path, &info{}, true), true
}

// folderAt returns a node for the folder at path, as the loop would come to
// make it, and the root that it is below; nil where it would not.
func (w *Watcher) folderAt(path string) (n *node, root anchor) {
	i := slices.IndexFunc(w.anchors, func(at anchor) bool { return below(path, at.path) })
	if i < 0 {
		return nil, anchor{}
	}
	root = w.anchors[i]
	n = &node{spot: w.match.root(root.path), path: root.path}
	for _, name := range splitPath(strings.TrimPrefix(path, root.path)) {
		if n.leaf {
			return nil, anchor{}
		}
		if n = w.folderIn(n, name); n == nil {
			return nil, anchor{}
		}
	}
	if n.place == nil {
		return nil, anchor{}
	}
	return n, root
}
