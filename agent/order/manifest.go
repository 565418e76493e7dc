package order

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// WaitFor says when a manifest's files may be taken.
type WaitFor string

// A manifest's files are taken once they no longer change, or as they are.
const (
	WaitSettled WaitFor = "settled"
	WaitPresent WaitFor = "present"
)

// ManifestGlobs match the base names of manifests, in path.Match syntax.
var ManifestGlobs = []string{
	"order.yml", "order.yaml", "order.json", "*.order.yml", "*.order.yaml", "*.order.json",
}

// IsManifest reports whether a file of this base name is a manifest. Hidden
// files are none: editors and other systems keep copies under such names.
func IsManifest(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.ContainsFunc(ManifestGlobs, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return err == nil && ok
	})
}

// Manifest is an order as its author wrote it, beside the images.
type Manifest struct {
	Group       string
	User        string
	Destination Destination
	Files       []string // as written: paths or globs, relative to the manifest's folder or absolute
	UUID        string   // lower-case; empty when the author left it out
	Description string
	Converter   *Converter // numbers in Params are json.Number, as written
	Metadata    map[string]string
	Priority    *int // nil when the author left it out
	WaitFor     WaitFor
}

// DecodeManifest decodes a manifest, which is YAML or JSON, strictly. Its
// errors are Invalid and read "file:line:column: sentence". Whatever data
// holds, time and memory stay in proportion to MaxManifestBytes.
func DecodeManifest(name string, data []byte) (*Manifest, error) {
	src := source(name)
	text, err := checkText(src, data)
	if err != nil {
		return nil, err
	}
	root, err := parseYAML(src, text)
	if err != nil {
		return nil, err
	}
	d := decoder{src: src}
	m := d.manifest(root)
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// Order is the manifest as an order whose files are still to be found. It has
// the given priority where its author named none.
func (m *Manifest) Order(priority int) Order {
	if m.Priority != nil {
		priority = *m.Priority
	}
	return Order{
		UUID: m.UUID, Group: m.Group, User: m.User, Destination: m.Destination,
		Description: m.Description, Converter: m.Converter, Metadata: m.Metadata, Priority: priority,
	}
}

// Pattern is what one entry of a manifest's files names.
type Pattern struct {
	Path string // absolute and cleaned
	Glob bool   // Path is a glob (path.Match syntax), not the path of one file
}

// Patterns returns what the manifest's files name. dir is the manifest's
// folder; its name is taken literally. Whether a file was written with a slash
// at its end is seen in Files only.
func (m *Manifest) Patterns(dir string) []Pattern {
	patterns := make([]Pattern, len(m.Files))
	for i, f := range m.Files {
		p := Pattern{Glob: HasMeta(f)}
		switch {
		case filepath.IsAbs(f):
			p.Path = filepath.Clean(f)
		case p.Glob:
			p.Path = filepath.Join(escapeMeta(dir), f)
		default:
			p.Path = filepath.Join(dir, f)
		}
		patterns[i] = p
	}
	return patterns
}

// HasMeta reports whether p is a glob rather than the path of one file.
func HasMeta(p string) bool { return strings.ContainsAny(p, meta) }

// meta are the characters that make a pattern.
const meta = `*?[\`

// escapeMeta makes a pattern that matches nothing but p.
func escapeMeta(p string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(p)
}
