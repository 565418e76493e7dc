package watcher

import (
	"fmt"
	"strings"
)

// Reach says whether a rule is for a path.
type Reach struct {
	Rule    int // its index
	Path    string
	Matches bool
	Why     string // why not, as a part of a sentence
}

// Reaches says of each rule whether it is for the path, an absolute one, which dir
// says to be that of a folder. It looks at no file.
func (w *Watcher) Reaches(path string, dir bool) []Reach {
	names := splitPath(path)
	if !dir && len(names) > 0 {
		names = names[:len(names)-1]
	}
	list := make([]Reach, 0, len(w.match.rules))
	for _, r := range w.match.rules {
		why := w.match.short(r, names)
		list = append(list, Reach{Rule: r.index, Path: r.path(), Matches: why == "", Why: why})
	}
	winner := w.match.winner(names)
	for i := range list {
		if list[i].Matches && winner != nil && winner.index != list[i].Rule {
			list[i].Matches, list[i].Why = false, fmt.Sprintf("rule %d, which is closer to it, goes first", winner.index+1)
		}
	}
	return list
}

// path is the rule's, as it was given.
func (r *rule) path() string {
	path := "/"
	for _, c := range r.comps {
		path = join(path, c.text)
	}
	return path
}

// short says why a rule's folders do not reach to the folder of these names.
func (m *matcher) short(r *rule, names []string) string {
	at := "/"
	for i, name := range names {
		at = join(at, name)
		var comp *component
		if i < len(r.comps) {
			comp = &r.comps[i]
			if _, ok := comp.match(name); !ok {
				return fmt.Sprintf("its path has %q where this has %q", comp.text, name)
			}
		}
		if i < r.prefix || i < len(r.comps) && comp.isLiteral() {
			if p := m.ignore.covering(at, r.spells); p != nil && i >= r.prefix {
				return fmt.Sprintf("%q is ignored by %s", at, pattern(p))
			}
			continue
		}
		if p := m.ignore.base.which(name); p != "" {
			return fmt.Sprintf("%q is ignored by %s", at, p)
		}
		if p := m.ignore.covering(at, r.spells); p != nil {
			return fmt.Sprintf("%q is ignored by %s", at, pattern(p))
		}
	}
	if len(names) < len(r.comps) {
		var rest []string
		for _, c := range r.comps[len(names):] {
			rest = append(rest, c.text)
		}
		return fmt.Sprintf("its folders lie deeper, at %s below", strings.Join(rest, "/"))
	}
	return ""
}

// winner is the rule that the folder of these names belongs to.
func (m *matcher) winner(names []string) *rule {
	s := m.root("/")
	at := "/"
	for _, name := range names {
		at = join(at, name)
		var ok bool
		if s, ok = m.child(&s, at); !ok {
			return nil
		}
	}
	if s.place == nil {
		return nil
	}
	return s.place.rule
}
