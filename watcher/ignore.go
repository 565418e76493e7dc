package watcher

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// DefaultIgnore lists what is never a drop: what this program and its siblings
// write beside drops, temporary names of copying programs, the litter of desktop
// systems, and folders that other producers own.
var DefaultIgnore = []string{
	".processed", ".analyzed", ".analysis", ".omerodata",
	".Uploaded", ".failed_uploads",
	"*.receipt.json", "*.rejected.txt",
	"*~", "*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", ".rsync-partial",
	".nfs*", ".smbdelete*", ".~lock*",
	"Thumbs.db", ".DS_Store", "._*",
	// rsync writes to .name.XXXXXX before it renames.
	".*.[0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z]",
	"tus_upload", "tus_destination", "*/uploads/*",
}

// Ignored returns a test for base names that these patterns, or DefaultIgnore
// for nil, keep from being drops. Patterns with a slash are about folders of
// the watched trees and take no part.
func Ignored(patterns []string) (func(base string) bool, error) {
	if patterns == nil {
		patterns = DefaultIgnore
	}
	set, err := newGlobs(slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return strings.Contains(p, "/") }))
	if err != nil {
		return nil, err
	}
	return set.match, nil
}

// glob is a pattern with what it starts with, because a name that starts
// otherwise is told apart much faster than by matching.
type glob struct{ start, pattern string }

// globs is a set of base-name globs. Most are of the forms name, name* and
// *name, which need no general matching: the scan asks for every single file.
type globs struct {
	exact            map[string]struct{}
	prefixes, suffix []string
	general          []glob
	spelled          []string // the patterns as they were given
}

func newGlobs(patterns []string) (globs, error) {
	g := globs{exact: map[string]struct{}{}, spelled: patterns}
	for _, p := range patterns {
		if p == "" || strings.Contains(p, "/") {
			return globs{}, fmt.Errorf("glob %q: a pattern for one file name is required", p)
		}
		low := lower(p)
		if _, err := path.Match(low, "x"); err != nil {
			return globs{}, fmt.Errorf("glob %q: %w", p, err)
		}
		switch magic := strings.IndexAny(low, `*?[\`); {
		case magic < 0:
			g.exact[low] = struct{}{}
		case low[magic] == '*' && magic == len(low)-1:
			g.prefixes = append(g.prefixes, low[:magic])
		case low[0] == '*' && !strings.ContainsAny(low[1:], `*?[\`):
			g.suffix = append(g.suffix, low[1:])
		default:
			g.general = append(g.general, glob{start: low[:magic], pattern: low})
		}
	}
	return g, nil
}

func (g *globs) empty() bool {
	return len(g.exact) == 0 && len(g.prefixes) == 0 && len(g.suffix) == 0 && len(g.general) == 0
}

// match reports whether the name matches any of the globs.
func (g *globs) match(name string) bool {
	if g.empty() {
		return false
	}
	name = lower(name)
	if _, ok := g.exact[name]; ok {
		return true
	}
	for _, p := range g.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, s := range g.suffix {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	for _, p := range g.general {
		if !strings.HasPrefix(name, p.start) {
			continue
		}
		if ok, err := path.Match(p.pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// which is the first of the globs that the name matches, as it was given; empty for
// none.
func (g *globs) which(name string) string {
	if !g.match(name) {
		return ""
	}
	for _, p := range g.spelled {
		if ok, err := path.Match(lower(p), lower(name)); ok && err == nil {
			return p
		}
	}
	return ""
}

// lower folds ASCII letters only, so that names that are not UTF-8 keep their bytes.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if c := b[j]; 'A' <= c && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// ignore holds both kinds of patterns of Options.Ignore.
type ignore struct {
	base  globs
	paths [][]string // the components of patterns with slashes, lower case
}

func newIgnore(patterns []string) (ignore, error) {
	var ig ignore
	var base []string
	for _, p := range patterns {
		if !strings.Contains(p, "/") {
			base = append(base, p)
			continue
		}
		parts := splitPath(filepath.Clean(p))
		for i, part := range parts {
			parts[i] = lower(part)
			if _, err := path.Match(parts[i], "x"); err != nil || len(parts) < 2 {
				return ignore{}, fmt.Errorf("ignore pattern %q: names or globs between slashes are required", p)
			}
		}
		ig.paths = append(ig.paths, parts)
	}
	var err error
	if ig.base, err = newGlobs(base); err != nil {
		return ignore{}, fmt.Errorf("ignore: %w", err)
	}
	return ig, nil
}

// folder reports whether a pattern with slashes covers the folder at path, for
// a rule that spells out component i where literal(i).
func (ig *ignore) folder(path string, literal func(i int) bool) bool {
	return ig.covering(path, literal) != nil
}

// covering is that pattern; nil for none.
func (ig *ignore) covering(path string, literal func(i int) bool) []string {
	if len(ig.paths) == 0 {
		return nil
	}
	comps := splitPath(path)
	for _, pattern := range ig.paths {
		first := len(comps) - len(pattern)
		if first < 0 {
			continue
		}
		matched, asked := true, true
		for i, p := range pattern {
			if ok, err := filepath.Match(p, lower(comps[first+i])); !ok || err != nil {
				matched = false
				break
			}
			// The rule asks for the folder by name if it spells out all that the
			// pattern spells out.
			if p != "*" && !literal(first+i) {
				asked = false
			}
		}
		if matched && !asked {
			return pattern
		}
	}
	return nil
}

// splitPath returns the components of a clean path, absolute or not.
func splitPath(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}
