package watcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// classify says what an entry of a node's folder is; of a folder whose files are for
// themselves, or a unit, also its node.
func (e *eye) classify(ctx context.Context, n *node, f *folder, name string) (Sight, *node, error) {
	s := e.in(n, name)
	in, err := f.look(name)
	if err == nil {
		s.Changed = time.Unix(in.change.Unix())
	}
	switch {
	case gone(err):
		s.Standing = IsMissing
	case err != nil:
		s.Standing, s.Why = IsUnreadable, err.Error()
	case in.isLink():
		s.Standing, s.Why = IsPassed, "links are not followed"
	case in.isDir():
		changed := s.Changed
		child, s := e.child(n, name)
		s.Changed = changed
		if child == nil || child.unit == nil || child.unit.home != child {
			return s, child, nil
		}
		s, err := e.unit(ctx, child.unit, s, f)
		return s, child, err
	case !in.isFile():
		s.Standing, s.Why = IsPassed, "it is no regular file"
	default:
		s, err := e.file(ctx, n, f, name, &in, s)
		return s, nil, err
	}
	return s, nil, nil
}

// file says what a regular file is.
func (e *eye) file(ctx context.Context, n *node, f *folder, name string, in *info, s Sight) (Sight, error) {
	switch k := n.kindOf(&e.match.ignore, name); k {
	case part:
		s.Standing, s.Unit, s.Kind = IsPart, n.unit.path(), n.unit.kind()
	case mainly:
		return e.unit(ctx, n.units[name], s, f)
	case done:
		about, _ := n.place.rule.marker.about(name)
		s.Standing, s.Why = IsPassed, fmt.Sprintf("it says that %q is complete", about)
	case data, control:
		if u, sure := n.partOf(name); k == data && u != nil && sure {
			s.Standing, s.Unit, s.Kind = IsPart, u.path(), u.kind()
			break
		}
		e.single(n, f, name, k, in, &s)
	default:
		e.nothing(n, name, &s)
	}
	return s, nil
}

// single judges a drop of one file.
func (e *eye) single(n *node, f *folder, name string, k kind, in *info, s *Sight) {
	s.Drop = n.drop(s.Path, in, k == control)
	s.Drop.Mark = n.markOf(name, k, in)
	quiet := n.place.rule.settle
	if k == control {
		quiet = n.place.rule.controlSettle
	}
	s.settle(e.now, quiet, k == data && n.place.rule.marker.marks(f, name, in.change.Nano()))
	if s.Standing == IsSettled && n.fs.local && f.written(name) {
		s.Standing, s.Why = IsSettling, "a program on this machine has it open for writing"
	}
}

// unit judges a drop of several files; f is the folder that it lies in.
func (e *eye) unit(ctx context.Context, u *unit, s Sight, f *folder) (Sight, error) {
	n := u.home
	s.Unit, s.Kind = u.path(), u.kind()
	if n.leaf && !e.thorough {
		top, err := f.sub(n.name())
		if err != nil {
			return e.unreadable(n, s.Path, err)
		}
		defer top.close()
		in, err := top.look("")
		if err != nil {
			return e.unreadable(n, s.Path, err)
		}
		s.Standing = IsUnmeasured
		s.Drop = n.drop(s.Path, &in, false)
		s.Drop.IsDir, s.Drop.Mark = true, shallow(top, n.name(), n.fs)
		return s, nil
	}
	d, err := e.measure(ctx, u)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return e.unreadable(n, s.Path, err)
	case err != nil:
		return s, err
	}
	s.Drop = n.unitDrop(s.Path, &d)
	if d.count > 0 {
		s.Changed = time.Unix(0, d.change)
	}
	s.settle(e.now, n.place.rule.settle, d.marked)
	switch {
	case d.count == 0:
		s.Standing, s.Why = IsSettling, "nothing that counts is in it"
	case s.Standing != IsSettled:
	case d.missing != "":
		s.Standing, s.Why = IsSettling, "it waits for "+d.missing
	case d.written:
		s.Standing, s.Why = IsSettling, "a program on this machine has a file of it open for writing"
	}
	return s, nil
}

// settle says how long a drop must not change any more. Its change may be ahead of
// our clock.
func (s *Sight) settle(now time.Time, quiet time.Duration, complete bool) {
	s.Standing = IsSettled
	if passed := max(now.Sub(s.Changed), 0); passed < quiet && !complete {
		s.Standing, s.Left = IsSettling, quiet-passed
	}
}

// nothing says why a file is no drop.
func (e *eye) nothing(n *node, name string, s *Sight) {
	s.Standing = IsPassed
	switch r := n.rule(); {
	case e.match.ignore.base.match(name):
		s.Standing, s.Why = IsIgnored, e.match.ignore.base.which(name)
	case r == nil:
		s.Standing, s.Why = IsUnwatched, "the folders of rules lie deeper"
	case r.controlOnly:
		s.Why = "only order files count here"
	case r.unit == Folder:
		s.Why = "the rule takes folders, and it lies beside them"
	default:
		if s.Why = r.unwanted(name); s.Why == "" {
			s.Why = "it belongs to an image whose main file is not there"
		}
	}
}

func (n *node) rule() *rule {
	if n.place == nil {
		return nil
	}
	return n.place.rule
}

// pattern is one with slashes as text.
func pattern(parts []string) string { return strings.Join(parts, "/") }
