package intake

import (
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"biomero-importer/agent/order"
)

// mostWaiting bounds what the manifests of one own folder may ask for together
// while they wait: patterns are matched against files that are dropped there, in a
// time that grows with their length, and names take memory.
var mostWaiting = sums{globs: 3_000, bytes: 64 << 10, names: 200_000}

// register holds the manifests that are not done with. It finds the one that a
// path belongs to without asking each.
type register struct {
	byPath map[string]*manifest
	named  map[string][]*manifest            // by each path that they name, of a file or folder
	beside map[string][]*manifest            // those that are not understood, by their folder
	globs  map[string]map[string][]*manifest // by the folder that a pattern spells out, and the pattern
	sums   map[string]sums                   // by own folder
	most   sums                              // of each own folder
	crowds map[string]int                    // how many there is no room for, by own folder
}

// sums are how many patterns and names manifests have, and how many bytes the
// patterns have from their first component with a wildcard on.
type sums struct{ globs, bytes, names int }

func newRegister() register {
	return register{
		byPath: map[string]*manifest{}, named: map[string][]*manifest{}, beside: map[string][]*manifest{},
		globs: map[string]map[string][]*manifest{}, sums: map[string]sums{}, most: mostWaiting, crowds: map[string]int{},
	}
}

// put enters a manifest in the place of an earlier one of its path.
func (r *register) put(m *manifest) {
	if old := r.byPath[m.path]; old != nil {
		r.remove(old)
	}
	r.byPath[m.path] = m
	if m.fault != nil {
		enlist(r.beside, filepath.Dir(m.path), m)
		if m.crowded {
			r.crowds[m.own]++
		}
		return
	}
	for _, p := range m.patterns {
		if !p.Glob {
			enlist(r.named, p.Path, m)
			continue
		}
		at := spelled(p.Path, m.own)
		if r.globs[at] == nil {
			r.globs[at] = map[string][]*manifest{}
		}
		enlist(r.globs[at], p.Path, m)
	}
	r.count(m, 1)
}

// remove takes a manifest out.
func (r *register) remove(m *manifest) {
	if r.byPath[m.path] != m {
		return
	}
	delete(r.byPath, m.path)
	if m.fault != nil {
		delist(r.beside, filepath.Dir(m.path), m)
		if m.crowded {
			r.crowds[m.own]--
		}
		if r.crowds[m.own] == 0 {
			delete(r.crowds, m.own)
		}
		return
	}
	for _, p := range m.patterns {
		if !p.Glob {
			delist(r.named, p.Path, m)
			continue
		}
		at := spelled(p.Path, m.own)
		if delist(r.globs[at], p.Path, m); len(r.globs[at]) == 0 {
			delete(r.globs, at)
		}
	}
	r.count(m, -1)
}

func enlist(lists map[string][]*manifest, key string, m *manifest) {
	lists[key] = append(lists[key], m)
}

func delist(lists map[string][]*manifest, key string, m *manifest) {
	rest := slices.DeleteFunc(lists[key], func(other *manifest) bool { return other == m })
	if len(rest) > 0 {
		lists[key] = rest
	} else {
		delete(lists, key)
	}
}

func (r *register) count(m *manifest, sign int) {
	now := r.sums[m.own]
	now.add(m.patterns, sign)
	if now == (sums{}) {
		delete(r.sums, m.own)
	} else {
		r.sums[m.own] = now
	}
}

func (s *sums) add(patterns []order.Pattern, sign int) {
	for _, p := range patterns {
		if p.Glob {
			s.globs += sign
			s.bytes += sign * (len(p.Path) - len(spelled(p.Path, "")))
		} else {
			s.names += sign
		}
	}
}

// others are the sums of the manifests that share m's own folder, without the one
// that m is to replace.
func (r *register) others(m *manifest) sums {
	now := r.sums[m.own]
	if old := r.byPath[m.path]; old != nil && old.own == m.own && old.fault == nil {
		now.add(old.patterns, -1)
	}
	return now
}

// turn reports whether m need not let others go first that there was no room for.
func (r *register) turn(m *manifest) bool {
	old := r.byPath[m.path]
	return r.crowds[m.own] == 0 || old != nil && old.crowded
}

// fits reports whether there is room for what m asks for beside the others.
func (r *register) fits(m *manifest) bool {
	others := r.others(m)
	return m.needs.globs+others.globs <= r.most.globs && m.needs.bytes+others.bytes <= r.most.bytes &&
		m.needs.names+others.names <= r.most.names
}

// spelled is the deepest folder that all matches of a pattern below own lie in, as
// far as it shows without a look at wildcards.
func spelled(pattern, own string) string {
	dir := "/"
	for part := range strings.SplitSeq(strings.TrimPrefix(filepath.Dir(pattern), "/"), "/") {
		if order.HasMeta(part) {
			break
		}
		dir = filepath.Join(dir, part)
	}
	if len(own) > len(dir) {
		return own
	}
	return dir
}

// claimants are the manifests that name path or a folder around it, among what is
// their own, the nearest first. One that could not be understood speaks for all
// that lies beside it and below; one that is taken, unseen or absent for nothing.
func (r *register) claimants(path string) iter.Seq[*manifest] {
	return func(yield func(*manifest) bool) {
		offer := func(list []*manifest, named string) bool {
			for _, m := range list {
				idle := m.taken || m.unseen || m.absent || (m.fault == nil && !strings.HasPrefix(named, m.own+"/"))
				if !idle && !yield(m) {
					return false
				}
			}
			return true
		}
		for at := path; at != "/"; at = filepath.Dir(at) {
			if !offer(r.named[at], at) || (at != path && !offer(r.beside[at], at)) {
				return
			}
			for pattern, list := range r.globs[at] {
				if named, ok := match(at, pattern, path); ok && !offer(list, named) {
					return
				}
			}
		}
	}
}

// match is path, or the folder around it, that a pattern matches. at is a folder
// that path lies in, or path: what the pattern spells out of it, which can be long,
// is not matched again.
func match(at, pattern, path string) (named string, ok bool) {
	from := len(at) + 1
	if from >= min(len(pattern), len(path)) || pattern[from-1] != '/' || pattern[:from-1] != at || order.HasMeta(at) {
		from = 0
	}
	pattern, below := pattern[from:], path[from:]
	depth := strings.Count(pattern, "/")
	for i := range len(below) {
		if below[i] != '/' {
			continue
		}
		if depth--; depth < 0 {
			below = below[:i]
			break
		}
	}
	if depth > 0 {
		return "", false
	}
	ok, err := filepath.Match(pattern, below)
	return path[:from+len(below)], ok && err == nil
}

// holder is the manifest that a path belongs to, if any.
func (r *register) holder(path string) *manifest {
	for m := range r.claimants(path) {
		return m
	}
	return nil
}

// claims reports whether a path belongs to m.
func (r *register) claims(m *manifest, path string) bool {
	for other := range r.claimants(path) {
		if other == m {
			return true
		}
	}
	return false
}

// all are the manifests in no order.
func (r *register) all() iter.Seq[*manifest] { return maps.Values(r.byPath) }
