package watcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Standing is where a path stands with the watcher.
type Standing string

// The standings. Settling and settled ones are drops.
const (
	IsMissing    Standing = "missing"    // nothing is there
	IsUnwatched  Standing = "unwatched"  // no rule is for it
	IsIgnored    Standing = "ignored"    // by a pattern, which is Why
	IsPassed     Standing = "passed"     // a rule is for its folder, and takes nothing like it
	IsPart       Standing = "part"       // of the drop at Unit
	IsFolder     Standing = "folder"     // a folder whose drops are those in it
	IsSettling   Standing = "settling"   // it changed a short time ago, or lacks something
	IsSettled    Standing = "settled"    // it is handed over when it is looked at next
	IsUnreadable Standing = "unreadable" // this process cannot look at it
	// IsUnmeasured is only shown by Survey, of a .zarr folder: it may hold millions of
	// files.
	IsUnmeasured Standing = "unmeasured"
)

// Sight is what the watcher makes of a path.
type Sight struct {
	Path     string
	Standing Standing
	// Why is the pattern that ignores it, or a part of a sentence: why it is passed
	// over, or not settled although it has not changed for long.
	Why string
	// Left is for how long it must not change any more, by the times that the
	// filesystem tells; those of a server may be off by what its clock is.
	Left time.Duration
	// Rule is the index of the rule that its folder belongs to, -1 for none.
	Rule int
	// Dir and Captures are those of the rule's folder, as in Drop.
	Dir      string
	Captures map[string]string
	// Unit is the drop that it is a part of, or itself if that is one of several
	// files; Kind says of which kind that is: zarr, folder, or a format's name.
	Unit, Kind string
	// Filesystem is the name of its folder's, and Events whether events are asked
	// for there.
	Filesystem string
	Events     bool
	// Changed is its last change; zero where that is not known.
	Changed time.Time
	// Drop is what it is handed over as, for a drop.
	Drop Drop
}

// Explain says what the watcher makes of the path, an absolute one, as far as that
// shows now: it knows nothing of what a running watcher has seen before.
func (w *Watcher) Explain(ctx context.Context, path string) (Sight, error) {
	path = filepath.Clean(path)
	s := Sight{Path: path, Rule: -1}
	if _, err := os.Lstat(path); err != nil {
		if s.Standing = IsMissing; !gone(err) {
			s.Standing, s.Why = IsUnreadable, err.Error()
		}
		return s, nil
	}
	i := slices.IndexFunc(w.anchors, func(at anchor) bool { return below(path, at.path) })
	if i < 0 {
		s.Standing, s.Why = IsUnwatched, "it lies in no rule's folder"
		if slices.ContainsFunc(w.anchors, func(at anchor) bool { return below(at.path, path) }) {
			s.Standing, s.Why = IsFolder, "watched folders lie below it"
		}
		return s, nil
	}
	e := &eye{Watcher: w, root: w.anchors[i], now: time.Now(), thorough: true}
	n := &node{spot: w.match.root(e.root.path), path: e.root.path}
	if path == e.root.path {
		return e.container(n), nil
	}
	names := splitPath(strings.TrimPrefix(path, e.root.path))
	for depth, name := range names {
		f, err := e.open(ctx, n)
		if err != nil {
			return e.unreadable(n, path, err)
		}
		if depth == len(names)-1 {
			s, _, err := e.classify(ctx, n, f, name)
			f.close()
			return s, err
		}
		child, s := e.child(n, name)
		f.close()
		if child == nil || child.leaf {
			if s.Path = path; child != nil {
				s.Standing = IsPart
			}
			if s.Standing == IsIgnored || s.Standing == IsPassed {
				s.Why += fmt.Sprintf(" (its folder %q)", join(n.path, name))
			}
			return s, nil
		}
		n = child
	}
	return s, errors.New("a path without components") // never: it differs from the root
}

// errEnough ends a survey early.
var errEnough = errors.New("enough was seen")

// Survey shows what lies in the watched folders, folder by folder in the order of
// their names, as Explain does, until see returns false. What is only a folder around
// others, or a part of a drop, is left out. .zarr folders are not walked through:
// they are IsUnmeasured.
func (w *Watcher) Survey(ctx context.Context, see func(Sight) bool) error {
	for _, root := range w.anchors {
		e := &eye{Watcher: w, root: root, now: time.Now()}
		err := e.survey(ctx, &node{spot: w.match.root(root.path), path: root.path}, see)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *eye) survey(ctx context.Context, n *node, see func(Sight) bool) error {
	f, err := e.open(ctx, n)
	if err != nil {
		s, err := e.unreadable(n, n.path, err)
		if err == nil && s.Standing == IsUnreadable && !see(s) {
			return errEnough
		}
		return err
	}
	var below []*node
	err = func() error {
		defer f.close()
		for _, name := range e.names {
			s, child, err := e.classify(ctx, n, f, name)
			switch {
			case err != nil:
				return err
			case child != nil && s.Standing == IsFolder:
				below = append(below, child)
			case s.Standing == IsPart, s.Standing == IsMissing:
			case !see(s):
				return errEnough
			}
		}
		return ctx.Err()
	}()
	for _, child := range below {
		if err != nil {
			return err
		}
		err = e.survey(ctx, child, see)
	}
	return err
}
