package watcher

import (
	"fmt"
	"strings"
)

// marker is the name of a file that says that another one is complete.
type marker struct{ before, after string }

// markedName stands for the name of what a done-marker is about.
const markedName = "{name}"

func newMarker(pattern string) (*marker, error) {
	if pattern == "" {
		return nil, nil //nolint:nilnil // none was asked for
	}
	before, after, ok := strings.Cut(pattern, markedName)
	if !ok || before+after == "" || strings.ContainsAny(before+after, "/{}\x00") {
		return nil, fmt.Errorf("done marker %q: a file name with %s in it is required, such as %s.done", pattern, markedName, markedName)
	}
	return &marker{before: before, after: after}, nil
}

// about is the name that a file of this name is the marker of, if it is one.
func (m *marker) about(name string) (string, bool) {
	if m == nil || len(name) <= len(m.before)+len(m.after) || !strings.HasPrefix(name, m.before) || !strings.HasSuffix(name, m.after) {
		return "", false
	}
	return name[len(m.before) : len(name)-len(m.after)], true
}

// marks reports whether the done-marker of name is in the folder and not older
// than what was seen of it, both by the file server's own clock.
func (m *marker) marks(f *folder, name string, change int64) bool {
	at, ok := m.since(f, name)
	return ok && at >= change
}

// since is when the done-marker of name, which is in the folder, changed last, ns
// by the file server's clock.
func (m *marker) since(f *folder, name string) (at int64, ok bool) {
	if m == nil {
		return 0, false
	}
	in, err := f.look(m.before + name + m.after)
	return in.change.Nano(), err == nil && in.isFile()
}
