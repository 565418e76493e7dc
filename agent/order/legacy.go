package order

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LegacyGlob matches the base names of legacy order files, in path.Match
// syntax, and some others: IsLegacy decides.
const LegacyGlob = "[0-9][0-9][0-9][0-9]_[0-9][0-9]_[0-9][0-9]_[0-9][0-9]-[0-9][0-9]-[0-9][0-9].*"

// IsLegacy reports whether a file of this base name is a legacy order file:
// named after a date and time, with any extension.
func IsLegacy(name string) bool {
	const form = "2006_01_02_15-04-05"
	if len(name) <= len(form) || name[len(form)] != '.' ||
		strings.HasSuffix(name, ReceiptSuffix) || strings.HasSuffix(name, RejectionSuffix) {
		return false
	}
	_, err := time.Parse(form, name[:len(form)])
	return err == nil
}

// Legacy is an order file of the importer before its database.
type Legacy struct {
	Version      string
	UUID         string // lower-case; empty when absent
	User         string
	Group        string
	UserID       int64 // 0 when absent, like the two ids below
	GroupID      int64
	ProjectID    int64
	Destination  Destination
	Path         string   // folder of relative Files, in the older form; as written
	Files        []string // as written
	Converter    *Converter
	MetadataFile string // as written
}

// DecodeLegacy decodes a legacy order file: lines of "key: value", others
// passed over. Its errors are Invalid and read "file:line:column: sentence".
func DecodeLegacy(name string, data []byte) (*Legacy, error) {
	src := source(name)
	text, err := checkText(src, data)
	if err != nil {
		return nil, err
	}
	d := legacyDecoder{src: src, fields: map[string]legacyField{}}
	d.split(text)
	l := d.legacy()
	if d.err != nil {
		return nil, d.err
	}
	return l, nil
}

// Order is the legacy file as an order. prefixes maps paths as MapPath does;
// a path that is relative even so stays relative, for the check of the allowed
// folders to refuse.
func (l *Legacy) Order(prefixes map[string]string) Order {
	place := func(p string) string {
		p = MapPath(p, prefixes)
		if !path.IsAbs(p) && l.Path != "" {
			p = path.Join(MapPath(l.Path, prefixes), p)
		}
		return path.Clean(p)
	}
	o := Order{UUID: l.UUID, Group: l.Group, User: l.User, Destination: l.Destination, Converter: l.Converter}
	for _, f := range l.Files {
		o.Files = append(o.Files, place(f))
	}
	if l.MetadataFile != "" {
		o.MetadataFile = place(l.MetadataFile)
	}
	return o
}

type legacyField struct {
	value        string
	line, column int // of the value
}

type legacyDecoder struct {
	src    source
	fields map[string]legacyField
	err    error
}

func (d *legacyDecoder) fault(at legacyField, expected, format string, args ...any) {
	if d.err == nil {
		d.err = d.src.fault(at.line, at.column, fmt.Sprintf(format, args...), expected)
	}
}

func (d *legacyDecoder) split(text string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		raw, value, ok := strings.Cut(line, ": ")
		key := strings.TrimSpace(raw)
		if !ok || key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		at := legacyField{value: unquote(value), line: number, column: len([]rune(raw)) + 3}
		if first, twice := d.fields[key]; twice {
			d.fault(at, "each key once", "The key %s is given here and in line %d", quote(key), first.line)
		}
		d.fields[key] = at
	}
}

// unquote cuts space and one pair of quotes around a value.
func unquote(value string) string {
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		return value[1 : n-1]
	}
	return value
}

func (d *legacyDecoder) legacy() *Legacy {
	l := &Legacy{
		Version: d.fields["Version"].value, Path: d.fields["Path"].value, MetadataFile: d.fields["metadata_file"].value,
		User: d.name("Username"), Group: d.name("Group"),
		UserID: d.id("UserID"), GroupID: d.id("GroupID"), ProjectID: d.id("ProjectID"),
	}
	if f := d.fields["UUID"]; f.value != "" {
		if l.UUID = strings.ToLower(f.value); !IsUUID(l.UUID) {
			d.fault(f, "32 hexadecimal digits such as 123e4567-e89b-12d3-a456-426614174000", "The UUID %s is not one", quote(f.value))
		}
	}
	l.Destination = d.destination()
	l.Files = d.files()
	for _, key := range []string{"Path", "metadata_file"} {
		if climbs(d.fields[key].value) {
			d.fault(d.fields[key], "", "%s leaves its folder by \"..\"; write the whole path", key)
		}
	}
	l.Converter = d.converter()
	return l
}

// required returns a field that has to be there.
func (d *legacyDecoder) required(key string) legacyField {
	f := d.fields[key]
	if f.value == "" {
		d.fault(f, "a line \""+key+": …\"", "The order does not say its %s", key)
	}
	return f
}

func (d *legacyDecoder) name(key string) string {
	f := d.required(key)
	if wrong := nameFault(f.value); wrong != "" {
		d.fault(f, "", "The %s %s", key, wrong)
	}
	return f.value
}

// id returns a field that holds an id, or 0 when it is not there.
func (d *legacyDecoder) id(key string) int64 {
	f := d.fields[key]
	if f.value == "" {
		return 0
	}
	n, err := strconv.ParseInt(f.value, 10, 64)
	if !wholeNumber.MatchString(f.value) || err != nil {
		d.fault(f, "a whole number", "The %s is %s", key, quote(f.value))
	}
	return n
}

func (d *legacyDecoder) destination() Destination {
	forms := []struct {
		key string
		typ DestinationType
		id  bool
	}{{"DatasetID", Dataset, true}, {"ScreenID", Screen, true}, {"Dataset", Dataset, false}, {"Screen", Screen, false}}
	var out Destination
	var first string
	for _, form := range forms {
		f := d.fields[form.key]
		switch {
		case f.value == "":
			continue
		case out.Type == form.typ && out.ID > 0:
			continue // the name of what the id already says
		case out.Type != "":
			d.fault(f, "one of the two", "The order has both %s and %s", first, form.key)
		case form.id:
			out.ID = d.id(form.key)
			if out.ID <= 0 {
				d.fault(f, "a whole number above 0", "The %s is %s", form.key, quote(f.value))
			}
		default:
			out.Name = f.value
			if wrong := titleFault(out.Name); wrong != "" {
				d.fault(f, "", "The %s %s", form.key, wrong)
			}
		}
		out.Type, first = form.typ, form.key
	}
	if out.Type == "" {
		d.fault(legacyField{}, "a line \"DatasetID: …\" or \"ScreenID: …\"", "The order does not say its DatasetID or ScreenID")
	}
	return out
}

func (d *legacyDecoder) files() []string {
	f := d.required("Files")
	files, wrong := splitFiles(f.value)
	if wrong == "" && len(files) == 0 {
		wrong = "name nothing"
	}
	if wrong != "" {
		d.fault(f, "a list such as [\"/data/a.tif\",\"/data/b.tif\"]", "The Files %s", wrong)
		return nil
	}
	for _, file := range files {
		switch {
		case file == "" || strings.Contains(file, "\x00"):
			d.fault(f, "", "The Files hold %s, which is no path", quote(file))
		case climbs(file):
			d.fault(f, "", "The file %s leaves its folder by \"..\"; write the whole path", quote(file))
		}
	}
	return files
}

// climbs reports whether a path, with slashes either way, has "..".
func climbs(p string) bool {
	return slices.Contains(strings.FieldsFunc(p, func(r rune) bool { return r == '/' || r == '\\' }), "..")
}

func (d *legacyDecoder) converter() *Converter {
	const prefix = "preprocessing_"
	f := d.fields[prefix+"container"]
	if f.value == "" {
		for _, key := range slices.Sorted(maps.Keys(d.fields)) {
			if strings.HasPrefix(key, prefix) && d.fields[key].value != "" {
				d.fault(d.fields[key], "a line \""+prefix+"container: …\"", "The order has %s but no container", key)
			}
		}
		return nil
	}
	if wrong := imageFault(f.value); wrong != "" {
		d.fault(f, "", "The container %s", wrong)
	}
	c := NewConverter(f.value)
	for key, field := range d.fields {
		option, ours := strings.CutPrefix(key, prefix)
		switch {
		case !ours || option == "container" || field.value == "":
		case option == "inputfile":
			c.InputFile = field.value
		case option == "outputfolder":
			c.OutputFolder = field.value
		case option == "altoutputfolder":
			c.AltOutputFolder = field.value
		default:
			if c.Params == nil {
				c.Params = map[string]any{}
			}
			c.Params[option] = field.value
		}
	}
	return c
}
