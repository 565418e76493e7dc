package config

import (
	"cmp"
	"maps"
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

// OnChange says what becomes of a drop that changes after it was taken.
type OnChange string

// What a changed drop can be: a new order, nothing, or nothing but marked as
// changed.
const (
	Reimport OnChange = "reimport"
	Ignore   OnChange = "ignore"
	Flag     OnChange = "flag"
)

// Rule turns drops in some folders into orders.
type Rule struct {
	Path         string         // absolute and clean; parts like {user} are captured
	Order        *OrderTemplate // nil: only manifests count here
	Unit         Unit
	Settle       time.Duration // 0: two looks, or renamed into place
	Include      []string
	Exclude      []string
	Converter    *order.Converter            // for every file not in ByExtension
	ByExtension  map[string]*order.Converter // by lower-case extension with its dot
	AllowAnyUser bool
	Mode         Mode
	ScanInterval time.Duration // 0: as the filesystem wants it
	DoneMarker   string        // a file name with {name} in it; empty for none
	OnChange     OnChange
}

// Mode says how a rule's folders are watched.
type Mode string

// The modes: as the filesystem wants it, by events, by scans, or by both.
const (
	AutoMode Mode = "auto"
	Events   Mode = "events"
	Scan     Mode = "scan"
	Both     Mode = "both"
)

const (
	defaultSettle = 30 * time.Second
	maxSettle     = 7 * 24 * time.Hour
	maxPath       = 4096 // bytes
)

var (
	capture     = regexp.MustCompile(`\{([^{}]*)\}`)
	captureName = regexp.MustCompile(`^[a-z_]+$`)
)

func (f *file) rules(src *source, c *Config) error {
	seen := map[string]int{}
	for i := range f.Watch {
		at := "watch[" + strconv.Itoa(i) + "]"
		r, err := f.Watch[i].rule(src, at, c.BaseDir)
		if err != nil {
			return err
		}
		if r.ScanInterval == 0 {
			r.ScanInterval = c.ScanInterval
		}
		// Two rules that differ only in what they call a part match the same.
		shape := capture.ReplaceAllString(r.Path, "{}")
		if first, taken := seen[shape]; taken {
			return src.bad(at+".path", "is %s, which watch rule %d has already", quote(r.Path), first+1)
		}
		seen[shape] = i
		c.Rules = append(c.Rules, r)
	}
	return nil
}

func (r *rule) rule(src *source, at, base string) (Rule, error) {
	made := Rule{
		Path: filepath.Clean(r.Path), Unit: Unit(cmp.Or(r.Unit, string(Auto))), Settle: defaultSettle,
		Include: r.Include, Exclude: r.Exclude, AllowAnyUser: r.AllowAnyUser,
		Mode: Mode(cmp.Or(r.Mode, string(AutoMode))), ScanInterval: time.Duration(r.ScanInterval), DoneMarker: r.DoneMarker,
		OnChange: OnChange(cmp.Or(r.OnChange, string(Reimport))),
	}
	if !slices.Contains([]Mode{AutoMode, Events, Scan, Both}, made.Mode) {
		return Rule{}, src.bad(at+".mode", "is %s: allowed are auto, events, scan and both", quote(r.Mode))
	}
	if err := interval(src, at+".scan_interval", made.ScanInterval); err != nil {
		return Rule{}, err
	}
	if before, after, ok := strings.Cut(r.DoneMarker, "{name}"); r.DoneMarker != "" &&
		(!ok || before+after == "" || strings.ContainsAny(before+after, "/{}\x00")) {
		return Rule{}, src.bad(at+".done_marker", "is %s: give a file name with {name} in it, such as {name}.done", quote(r.DoneMarker))
	}
	if !slices.Contains([]Unit{Auto, File, Folder}, made.Unit) {
		return Rule{}, src.bad(at+".unit", "is %s: allowed are auto, file and folder", quote(r.Unit))
	}
	if !slices.Contains([]OnChange{Reimport, Ignore, Flag}, made.OnChange) {
		return Rule{}, src.bad(at+".on_change", "is %s: allowed are reimport, ignore and flag", quote(r.OnChange))
	}
	if r.Settle != nil {
		made.Settle = time.Duration(*r.Settle)
	}
	if made.Settle > maxSettle {
		return Rule{}, src.bad(at+".settle", "is %s: it has to be %s at most", made.Settle, maxSettle)
	}
	names, err := r.captures(src, at+".path", base)
	if err != nil {
		return Rule{}, err
	}
	for _, list := range []struct {
		path  string
		globs []string
	}{{at + ".include", r.Include}, {at + ".exclude", r.Exclude}} {
		for i, glob := range list.globs {
			if !isGlob(glob) {
				return Rule{}, src.bad(list.path+"["+strconv.Itoa(i)+"]", "is %s: give a pattern for one name, such as *.tif", quote(glob))
			}
		}
	}
	if r.Order != nil {
		if made.Order, err = r.Order.template(src, at+".order", names); err != nil {
			return Rule{}, err
		}
	}
	return made, made.converters(src, at+".preprocessing", r.Preprocessing)
}

// captures checks the rule's path and returns what it captures.
func (r *rule) captures(src *source, at, base string) ([]string, error) {
	switch {
	case r.Path == "":
		return nil, src.bad(strings.TrimSuffix(at, ".path"), "has no path: name the folder to watch")
	case len(r.Path) > maxPath:
		return nil, src.bad(at, "is longer than %d bytes", maxPath)
	case slices.Contains(strings.Split(r.Path, "/"), ".."):
		return nil, src.bad(at, "is %s: leave \"..\" out", quote(r.Path))
	}
	if err := absolute(src, at, r.Path); err != nil {
		return nil, err
	}
	if !below(base, r.Path) {
		return nil, src.bad(at, "is %s, which is not below base_dir %s", quote(r.Path), base)
	}
	var names []string
	for _, m := range capture.FindAllStringSubmatch(r.Path, -1) {
		if !captureName.MatchString(m[1]) {
			return nil, src.bad(at, "captures {%s}: a name has lower-case letters and \"_\"", m[1])
		}
		if slices.Contains(names, m[1]) {
			return nil, src.bad(at, "captures {%s} twice", m[1])
		}
		names = append(names, m[1])
	}
	if unpaired(r.Path) {
		return nil, src.bad(at, "is %s, which has an unpaired brace", quote(r.Path))
	}
	return names, nil
}

func unpaired(text string) bool {
	return strings.ContainsAny(capture.ReplaceAllString(text, ""), "{}")
}

func (r *Rule) converters(src *source, at string, p *preprocessing) error {
	if p == nil {
		return nil
	}
	if p.Container == "" && (len(p.ByExtension) == 0 || len(p.Params) > 0) {
		return src.bad(at, "names no container")
	}
	if p.Container != "" {
		r.Converter = order.NewConverter(p.Container)
		r.Converter.Params = p.Params
	}
	r.ByExtension = map[string]*order.Converter{}
	for _, ext := range slices.Sorted(maps.Keys(p.ByExtension)) {
		at := at + ".by_extension." + ext
		key := "." + strings.ToLower(strings.TrimPrefix(ext, "."))
		switch {
		case !isName(key) || len(key) < 2:
			return src.bad(at, "is for no extension: give one such as lif")
		case p.ByExtension[ext].Container == "":
			return src.bad(at, "names no container")
		case r.ByExtension[key] != nil:
			return src.bad(at, "is for an extension that is given already")
		}
		r.ByExtension[key] = order.NewConverter(p.ByExtension[ext].Container)
		r.ByExtension[key].Params = p.ByExtension[ext].Params
	}
	return nil
}

// ConverterOf chooses the preprocessing of a file by its longest extension, as
// .ome.tif before .tif; nil for none.
func (r *Rule) ConverterOf(file string) *order.Converter {
	name := strings.ToLower(path.Base(file))
	for i, letter := range name {
		if letter != '.' {
			continue
		}
		if c := r.ByExtension[name[i:]]; c != nil {
			return c
		}
	}
	return r.Converter
}
