package watcher

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// place is a folder that matches a rule's path; all folders below it share it.
type place struct {
	rule     *rule
	dir      string
	captures map[string]string
	gathering
}

// cursor is a rule whose path matched a folder as far as the folder goes.
type cursor struct {
	rule   *rule
	values []string
}

// spot is what the rules make of one folder.
type spot struct {
	depth   int      // components of the folder's path
	cursors []cursor // rules whose folders may lie below
	place   *place   // the rule that files here belong to, nil for none
}

// matcher holds the compiled rules.
type matcher struct {
	rules  []*rule
	ignore ignore
}

func newMatcher(rules []Rule, patterns []string) (*matcher, error) {
	if len(rules) == 0 {
		return nil, errors.New("at least one rule is required")
	}
	m := &matcher{}
	var err error
	if m.ignore, err = newIgnore(patterns); err != nil {
		return nil, err
	}
	for i := range rules {
		r, err := newRule(i, &rules[i])
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		m.rules = append(m.rules, r)
	}
	return m, nil
}

// roots returns the literal prefixes of the rules, without those that lie below
// another one.
func (m *matcher) roots() []string {
	var all []string
	for _, r := range m.rules {
		dir := "/"
		for i := range r.prefix {
			dir = join(dir, r.comps[i].literal)
		}
		all = append(all, dir)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(dir string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return other != dir && below(dir, other) })
	})
}

// below returns the rules of one of the roots.
func (m *matcher) below(root string) (list []*rule) {
	for _, r := range m.rules {
		dir := "/"
		for i := range r.prefix {
			dir = join(dir, r.comps[i].literal)
		}
		if below(dir, root) {
			list = append(list, r)
		}
	}
	return list
}

// root returns the spot of one of the roots.
func (m *matcher) root(dir string) spot {
	s := spot{}
	for _, r := range m.rules {
		s.cursors = append(s.cursors, cursor{rule: r})
	}
	s.settle("/")
	at := "/"
	for _, name := range splitPath(dir) {
		at = join(at, name)
		s, _ = m.child(&s, at)
	}
	return s
}

// child returns the spot of the folder at path, which lies directly in that of
// s, and false if no rule has anything to find there.
func (m *matcher) child(s *spot, path string) (spot, bool) {
	depth, name := s.depth, filepath.Base(path)
	next := spot{depth: depth + 1}
	ignored := m.ignore.base.match(name)
	covered := func(r *rule) bool { return m.ignore.folder(path, r.spells) }
	for _, c := range s.cursors {
		comp := &c.rule.comps[depth]
		values, ok := comp.match(name)
		if !ok || (!comp.isLiteral() && ignored) || (depth >= c.rule.prefix && covered(c.rule)) {
			continue
		}
		next.cursors = append(next.cursors, cursor{rule: c.rule, values: slices.Concat(c.values, values)})
	}
	if s.place != nil && !ignored && !covered(s.place.rule) {
		next.place = s.place
	}
	next.settle(path)
	return next, next.place != nil || len(next.cursors) > 0
}

// within reports whether a spot belongs to the rule of the one above it, and no
// folder of another rule may lie in it: only then it can be part of a unit there.
func (s *spot) within(above *spot) bool { return s.place == above.place && len(s.cursors) == 0 }

// within is the same of the folder at path, which lies directly in that of s.
func (m *matcher) within(s *spot, path string) bool {
	if len(s.cursors) == 0 {
		return true
	}
	below, _ := m.child(s, path)
	return below.within(s)
}

// settle takes the rules whose paths end at the spot out of its cursors and
// gives the spot to the most specific of them.
func (s *spot) settle(dir string) {
	var ended []cursor
	s.cursors = slices.DeleteFunc(s.cursors, func(c cursor) bool {
		if len(c.rule.comps) > s.depth {
			return false
		}
		ended = append(ended, c)
		return true
	})
	if len(ended) == 0 {
		return
	}
	best := slices.MaxFunc(ended, func(a, b cursor) int {
		return cmp.Or(
			cmp.Compare(a.rule.literals, b.rule.literals),
			cmp.Compare(len(b.rule.captures), len(a.rule.captures)),
			cmp.Compare(b.rule.index, a.rule.index),
		)
	})
	s.place = &place{rule: best.rule, dir: dir, captures: make(map[string]string, len(best.values))}
	for i, v := range best.values {
		s.place.captures[best.rule.captures[i]] = v
	}
}

func isZarr(name string) bool {
	return strings.HasSuffix(lower(name), ".zarr")
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// below reports whether a path is dir or lies below it.
func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// split cuts a path into folder and name.
func split(path string) (dir, name string) {
	return filepath.Dir(path), filepath.Base(path)
}
