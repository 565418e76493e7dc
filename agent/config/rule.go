package config

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/agent/order"
)

// Unit says what one drop of a rule is.
type Unit string

// The units: what the formats make it, single files, or whole folders.
const (
	Auto   Unit = "auto"
	File   Unit = "file"
	Folder Unit = "folder"
)

// Rule turns drops in some folders into orders.
type Rule struct {
	Path         string         // absolute; parts like {user} are captured
	Order        *OrderTemplate // nil: only manifests count here
	Unit         Unit
	Settle       time.Duration
	Include      []string
	Exclude      []string
	Converter    *order.Converter            // for every file not in ByExtension
	ByExtension  map[string]*order.Converter // by lower-case extension with its dot
	AllowAnyUser bool
}

// OrderTemplate is an order's head with {captures} of its rule's path.
type OrderTemplate struct {
	Group, User, Description string
	Type                     order.DestinationType
	ID, Name, Project        string
}

const defaultSettle = 30 * time.Second

var capture = regexp.MustCompile(`\{([^{}]*)\}`)

var captureName = regexp.MustCompile(`^[a-z_]+$`)

func (f *file) rules(_ Env, c *Config) error {
	seen := map[string]bool{}
	for i, r := range f.Watch {
		made, err := r.rule(c.BaseDir)
		if err == nil && seen[made.Path] {
			err = bad("its path %s is another rule's", made.Path)
		}
		if err != nil {
			return order.Errorf(order.Invalid, "watch rule %d: %w", i+1, err)
		}
		seen[made.Path] = true
		c.Rules = append(c.Rules, made)
	}
	return nil
}

func (r *rule) rule(base string) (Rule, error) {
	made := Rule{
		Path: filepath.Clean(r.Path), Unit: Unit(r.Unit), Settle: defaultSettle,
		Include: r.Include, Exclude: r.Exclude, AllowAnyUser: r.AllowAnyUser,
	}
	if r.Settle != nil {
		made.Settle = time.Duration(*r.Settle)
	}
	if made.Unit == "" {
		made.Unit = Auto
	}
	if !slices.Contains([]Unit{Auto, File, Folder}, made.Unit) {
		return Rule{}, bad("its unit is %q: allowed are auto, file and folder", r.Unit)
	}
	if !below(base, made.Path) {
		return Rule{}, bad("its path %q is not below base_dir %s", r.Path, base)
	}
	names, err := captures(made.Path)
	if err != nil {
		return Rule{}, err
	}
	for _, glob := range slices.Concat(r.Include, r.Exclude) {
		if _, err := path.Match(glob, ""); err != nil || strings.Contains(glob, "/") {
			return Rule{}, bad("its glob %q is not valid: globs match base names", glob)
		}
	}
	if r.Order != nil {
		if made.Order, err = r.Order.template(names); err != nil {
			return Rule{}, err
		}
	}
	return made, made.converters(r.Preprocessing)
}

func captures(p string) ([]string, error) {
	var names []string
	for _, m := range capture.FindAllStringSubmatch(p, -1) {
		if !captureName.MatchString(m[1]) || slices.Contains(names, m[1]) {
			return nil, bad("its path captures {%s}: names are lower-case letters and \"_\", each once", m[1])
		}
		names = append(names, m[1])
	}
	if strings.ContainsAny(capture.ReplaceAllString(p, ""), "{}") {
		return nil, bad("its path %q has an unpaired brace", p)
	}
	return names, nil
}

func (t *template) template(names []string) (*OrderTemplate, error) {
	d := t.Destination
	made := &OrderTemplate{
		Group: t.Group, User: t.User, Description: t.Description,
		Type: order.DestinationType(d.Type), ID: d.ID, Name: d.Name, Project: d.Project,
	}
	for _, text := range []string{t.Group, t.User, t.Description, d.ID, d.Name, d.Project} {
		for _, m := range capture.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(names, m[1]) {
				return nil, bad("its order uses {%s}, which its path does not capture", m[1])
			}
		}
	}
	switch {
	case t.Group == "" || t.User == "":
		return nil, bad("its order has to give group and user")
	case made.Type != order.Dataset && made.Type != order.Screen:
		return nil, bad("its destination's type is %q: allowed are Dataset and Screen", d.Type)
	case (d.ID == "") == (d.Name == ""):
		return nil, bad("its destination has to give either id or name")
	case d.ID != "" && !capture.MatchString(d.ID) && !positive(d.ID):
		return nil, bad("its destination's id is %q: it has to be a positive whole number", d.ID)
	case d.Project != "" && (made.Type != order.Dataset || d.Name == ""):
		return nil, bad("its project is only for a Dataset given by name")
	}
	return made, nil
}

func positive(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n > 0
}

func (r *Rule) converters(p *preprocessing) error {
	if p == nil {
		return nil
	}
	if p.Container == "" && len(p.ByExtension) == 0 {
		return bad("its preprocessing names no container")
	}
	if p.Container != "" {
		r.Converter = order.NewConverter(p.Container)
		r.Converter.Params = p.Params
	}
	r.ByExtension = map[string]*order.Converter{}
	for ext, conv := range p.ByExtension {
		if conv.Container == "" {
			return bad("its preprocessing for %q names no container", ext)
		}
		made := order.NewConverter(conv.Container)
		made.Params = conv.Params
		r.ByExtension["."+strings.ToLower(strings.TrimPrefix(ext, "."))] = made
	}
	return nil
}

// ConverterOf chooses the preprocessing of a file; nil for none.
func (r *Rule) ConverterOf(file string) *order.Converter {
	if c := r.ByExtension[strings.ToLower(path.Ext(file))]; c != nil {
		return c
	}
	return r.Converter
}

// Expand puts the captured parts of a path into the template. What does not
// fit is an Invalid error.
func (t *OrderTemplate) Expand(captured map[string]string) (order.Order, error) {
	fill := func(text string) string {
		return capture.ReplaceAllStringFunc(text, func(m string) string { return captured[m[1:len(m)-1]] })
	}
	o := order.Order{
		Group: fill(t.Group), User: fill(t.User), Description: fill(t.Description),
		Destination: order.Destination{Type: t.Type, Name: fill(t.Name), Project: fill(t.Project)},
	}
	if t.ID != "" {
		id := fill(t.ID)
		if !positive(id) {
			return order.Order{}, bad("The folder gives %q as the id of the %s, which is no positive whole number.", id, t.Type)
		}
		o.Destination.ID, _ = strconv.ParseInt(id, 10, 64)
	}
	return o, nil
}
