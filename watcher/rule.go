package watcher

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// component is one part of a rule's path between two slashes.
type component struct {
	text    string         // as the rule has it
	literal string         // the name itself, where nothing is captured
	capture *regexp.Regexp // nil for a literal and for one capture alone
	names   []string       // what is captured, in order
	spelled int            // bytes outside captures
}

var captureName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func newComponent(text string) (component, error) {
	c := component{text: text}
	var expr strings.Builder
	expr.WriteString(`(?s)^`)
	bare := true
	for rest := text; rest != ""; {
		lit, after, found := strings.Cut(rest, "{")
		if strings.Contains(lit, "}") {
			return component{}, fmt.Errorf("%q: } without {", text)
		}
		expr.WriteString(regexp.QuoteMeta(lit))
		c.spelled += len(lit)
		bare = bare && lit == ""
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || !captureName.MatchString(name) {
			return component{}, fmt.Errorf("%q: {name} is required, with letters, digits and _", text)
		}
		c.names = append(c.names, name)
		if tail == "" {
			expr.WriteString(`(.+)`)
		} else {
			expr.WriteString(`(.+?)`)
		}
		rest = tail
	}
	switch {
	case len(c.names) == 0:
		c.literal = text
	case !bare || len(c.names) > 1:
		re, err := regexp.Compile(expr.String() + `$`)
		if err != nil {
			return component{}, fmt.Errorf("%q: %w", text, err)
		}
		c.capture = re
	}
	return c, nil
}

func (c *component) isLiteral() bool { return len(c.names) == 0 }

// match returns what the captures of the component match in name.
func (c *component) match(name string) ([]string, bool) {
	switch {
	case c.isLiteral():
		return nil, name == c.literal
	case c.capture == nil:
		return []string{name}, name != ""
	default:
		m := c.capture.FindStringSubmatch(name)
		if m == nil {
			return nil, false
		}
		return m[1:], true
	}
}

// rule is a compiled Rule.
type rule struct {
	index                     int
	unit                      Unit
	controlOnly               bool
	comps                     []component
	captures                  []string
	literals                  int // bytes that the path spells out: more is more specific
	prefix                    int // leading components without captures
	include, exclude, control globs
	settle, controlSettle     time.Duration
	mode                      Mode
	interval                  time.Duration // between scans; 0 where the filesystem decides
	marker                    *marker       // nil for none
}

func newRule(index int, r *Rule) (*rule, error) {
	c := &rule{index: index, unit: r.Unit, controlOnly: r.ControlOnly, settle: r.Settle, mode: r.Mode, interval: r.ScanInterval}
	if !filepath.IsAbs(r.Path) || strings.ContainsRune(r.Path, 0) {
		return nil, fmt.Errorf("path %q: an absolute path is required", r.Path)
	}
	if len(r.Path) > unix.PathMax {
		return nil, fmt.Errorf("path %.40q…: %d bytes at most are allowed", r.Path, unix.PathMax)
	}
	if r.Settle < 0 || r.Settle > maxSettle {
		return nil, fmt.Errorf("settle is %s: 0s to %s is allowed", r.Settle, maxSettle)
	}
	if r.Unit < Auto || r.Unit > Folder {
		return nil, fmt.Errorf("unknown unit %d", r.Unit)
	}
	if r.Mode < ModeAuto || r.Mode > ModeBoth {
		return nil, fmt.Errorf("unknown mode %d", r.Mode)
	}
	if r.ScanInterval < 0 {
		return nil, fmt.Errorf("scan interval is %s: a positive time is required", r.ScanInterval)
	}
	if r.ControlOnly && len(r.Control) == 0 {
		return nil, errors.New("only control files are to be taken, but none are named")
	}
	for _, text := range splitPath(filepath.Clean(r.Path)) {
		comp, err := newComponent(text)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", r.Path, err)
		}
		for _, name := range comp.names {
			if slices.Contains(c.captures, name) {
				return nil, fmt.Errorf("path %q: {%s} is used twice", r.Path, name)
			}
			c.captures = append(c.captures, name)
		}
		if c.prefix == len(c.comps) && comp.isLiteral() {
			c.prefix++
		}
		c.literals += comp.spelled
		c.comps = append(c.comps, comp)
	}
	// Without a quiet time of its own the rule needs two looks a second apart.
	if c.settle == 0 {
		c.settle = time.Second
	}
	c.controlSettle = min(c.settle, time.Second)
	var err error
	if c.include, err = newGlobs(r.Include); err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	if c.exclude, err = newGlobs(r.Exclude); err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	if c.control, err = newGlobs(r.Control); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if c.marker, err = newMarker(r.DoneMarker); err != nil {
		return nil, err
	}
	return c, nil
}

// wants reports whether the rule's globs choose the name.
func (r *rule) wants(name string) bool {
	return (r.include.empty() || r.include.match(name)) && !r.exclude.match(name)
}

// spells reports whether the rule's path spells out component i.
func (r *rule) spells(i int) bool {
	return i < len(r.comps) && r.comps[i].isLiteral()
}
