package watcher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// eye looks at folders as a loop comes to see them, without one.
type eye struct {
	*Watcher
	root     anchor
	now      time.Time
	thorough bool     // walk through every unit
	names    []string // of the folder that was opened last, sorted
}

// open opens a node's folder and notes what decides on the files in it and below:
// which main files are there.
func (e *eye) open(ctx context.Context, n *node) (*folder, error) {
	f, err := openFolder(e.root, n.path)
	if err != nil {
		return nil, err
	}
	n.fs = f.filesystem()
	if err := e.learn(ctx, n, f); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (e *eye) learn(ctx context.Context, n *node, f *folder) error {
	e.names = e.names[:0]
	err := f.each(make([]byte, 32<<10), func(raw []byte, dirent uint8) error {
		name := string(raw)
		e.names = append(e.names, name)
		if dirent != unix.DT_REG && dirent != unix.DT_UNKNOWN {
			return ctx.Err()
		}
		n.parts = n.parts || n.isSlide(name)
		if n.kindOf(&e.match.ignore, name) == mainly {
			u := &unit{home: n, main: name}
			u.format, u.stem = formatOf(lower(name))
			n.enter(u)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	slices.Sort(e.names)
	for _, u := range n.units {
		if u.format.exact() {
			continue
		}
		d, err := e.measure(ctx, u)
		if err != nil {
			return err
		}
		u.members = d.members
	}
	return nil
}

// measure walks through a unit.
func (e *eye) measure(ctx context.Context, u *unit) (walkDone, error) {
	job := walkJob{root: e.root, path: u.home.path, main: u.main, format: u.format, stem: u.stem, zarr: u.home.leaf}
	return e.walk(ctx, u.home, job)
}

// in is a sight of something in the node's folder.
func (e *eye) in(n *node, name string) Sight {
	s := Sight{Path: join(n.path, name), Rule: -1, Filesystem: n.fs.name, Events: n.listens()}
	s.of(n)
	return s
}

// of says to which rule's folder it belongs.
func (s *Sight) of(n *node) {
	if n.place != nil {
		s.Rule, s.Dir, s.Captures = n.place.rule.index, n.place.dir, n.place.captures
	}
}

func (e *eye) container(n *node) Sight {
	s := Sight{Path: n.path, Standing: IsFolder, Rule: -1, Filesystem: n.fs.name, Events: n.listens()}
	s.of(n)
	switch {
	case n.place == nil:
		s.Why = "watched folders may lie below it"
	case n.place.rule.controlOnly:
		s.Why = "only order files count in it"
	case n.place.rule.unit == Folder && n.place.dir == n.path:
		s.Why = "each folder in it is a drop"
	default:
		s.Why = "what lies in it are drops of their own"
	}
	return s
}

func (e *eye) unreadable(n *node, path string, err error) (Sight, error) {
	s := Sight{Path: path, Standing: IsUnreadable, Why: err.Error(), Rule: -1}
	s.of(n)
	if gone(err) {
		s.Standing, s.Why = IsMissing, ""
		if path != n.path {
			s.Standing, s.Why = IsPassed, fmt.Sprintf("%q is a link, and links are not followed", n.path)
		}
	}
	return s, nil
}

// child is the node of a folder in n, nil where a loop would not make one; the
// sight says why, or what the folder is.
func (e *eye) child(n *node, name string) (*node, Sight) {
	s := e.in(n, name)
	if u := n.unit; n.leaf {
		s.Standing, s.Unit, s.Kind = IsPart, u.path(), u.kind()
		return nil, s
	}
	if u, sure := n.claimant(lower(name), true); u != nil && sure && e.match.within(&n.spot, s.Path) {
		s.Standing, s.Unit, s.Kind = IsPart, u.path(), u.kind()
		return nil, s
	}
	child := e.folderIn(n, name)
	if child == nil {
		e.barred(n, name, &s)
		return nil, s
	}
	child.fs = n.fs
	if u := child.unit; u != nil {
		s.of(child)
		s.Unit, s.Kind = u.path(), u.kind()
		if u.home != child {
			s.Standing = IsPart
		}
		return child, s
	}
	return child, e.container(child)
}

// barred says why a folder holds nothing to find.
func (e *eye) barred(n *node, name string, s *Sight) {
	ig := &e.match.ignore
	if s.Why = ig.base.which(name); s.Why == "" {
		for _, r := range e.match.rules {
			if p := ig.covering(s.Path, r.spells); p != nil {
				s.Why = pattern(p)
				break
			}
		}
	}
	switch {
	case s.Why != "":
		s.Standing = IsIgnored
	case n.place != nil && n.place.rule.controlOnly:
		s.Standing, s.Why = IsPassed, "only order files count here"
	case n.place != nil:
		s.Standing, s.Why = IsPassed, n.place.rule.unwanted(name)
	default:
		s.Standing, s.Why = IsUnwatched, "none leads there"
	}
}

// unwanted says why the rule's globs do not choose a name; empty if they do.
func (r *rule) unwanted(name string) string {
	if p := r.exclude.which(name); p != "" {
		return "the rule excludes " + p
	}
	if !r.include.empty() && !r.include.match(name) {
		return "the rule includes no name like it"
	}
	return ""
}

// kind names what a unit is.
func (u *unit) kind() string {
	switch {
	case u.format != nil:
		return u.format.name
	case u.home.leaf:
		return "zarr"
	default:
		return "folder"
	}
}
