package order

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The keys of a manifest and of its parts.
var (
	manifestKeys    = []string{"group", "user", "destination", "files", "uuid", "description", "preprocessing", "metadata", "priority", "wait_for"}
	destinationKeys = []string{"type", "id", "name", "project"}
	converterKeys   = []string{"container", "params"}
)

// decoder turns nodes into a manifest. The first fault is kept in err, and the
// steps after it are harmless.
type decoder struct {
	src source
	err error
}

func (d *decoder) fault(at *node, expected, format string, args ...any) {
	if d.err == nil {
		d.err = d.src.fault(at.line, at.column, fmt.Sprintf(format, args...), expected)
	}
}

func (d *decoder) manifest(root *node) *Manifest {
	m := &Manifest{WaitFor: WaitSettled}
	d.keys(root, "The manifest", manifestKeys, manifestKeys[:4])
	if d.err != nil {
		return nil
	}
	m.Group = d.checked(root, "group", nameFault)
	m.User = d.checked(root, "user", nameFault)
	m.Destination = d.destination(root.find("destination"))
	m.Files = d.files(root.find("files"))
	m.Description = d.checked(root, "description", proseFault)
	if n := root.find("uuid"); n != nil {
		if m.UUID = strings.ToLower(d.text(n, "uuid")); !IsUUID(m.UUID) {
			d.fault(n, "32 hexadecimal digits such as 123e4567-e89b-12d3-a456-426614174000", "The uuid %s is not one", quote(n.text))
		}
	}
	m.Converter = d.converter(root.find("preprocessing"))
	m.Metadata = d.metadata(root.find("metadata"))
	m.Priority = d.priority(root.find("priority"))
	if n := root.find("wait_for"); n != nil {
		m.WaitFor = WaitFor(d.choice(n, "wait_for", string(WaitSettled), string(WaitPresent)))
	}
	return m
}

// keys checks that n is a mapping with no other keys than these, and with all
// that are required.
func (d *decoder) keys(n *node, what string, known, required []string) {
	if n.kind != kindMap {
		d.fault(n, "lines of the form \"key: value\" with the keys "+list(known), "%s is %s", what, n.kind)
		return
	}
	for _, p := range n.pairs {
		if slices.Contains(known, p.key.text) {
			continue
		}
		if near, ok := Nearest(p.key.text, known); ok {
			d.fault(p.key, list(known), "%s has no key %s; did you mean %q?", what, quote(p.key.text), near)
		}
		d.fault(p.key, list(known), "%s has no key %s", what, quote(p.key.text))
	}
	for _, key := range required {
		if v := n.find(key); v == nil || v.kind == kindNull {
			d.fault(n, "the keys "+strings.Join(required, ", "), "%s lacks the key %q", what, key)
		}
	}
}

// text returns a scalar as it was written.
func (d *decoder) text(n *node, what string) string {
	if n.kind == kindList || n.kind == kindMap || n.kind == kindNull {
		d.fault(n, "a text", "The %s is %s", what, n.kind)
	}
	return n.text
}

// checked returns the text of a key, or "" when it is not there.
func (d *decoder) checked(in *node, key string, fault func(string) string) string {
	n := in.find(key)
	if n == nil {
		return ""
	}
	text := d.text(n, key)
	if wrong := fault(text); wrong != "" {
		d.fault(n, "", "The %s %s", key, wrong)
	}
	return text
}

func (d *decoder) choice(n *node, what string, choices ...string) string {
	text := d.text(n, what)
	if slices.Contains(choices, text) {
		return text
	}
	hint := ""
	if near, ok := Nearest(text, choices); ok {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	d.fault(n, list(choices), "The %s is %s%s", what, quote(text), hint)
	return text
}

var wholeNumber = regexp.MustCompile(`^[0-9]+$`)

func (d *decoder) destination(n *node) Destination {
	d.keys(n, "The destination", destinationKeys, destinationKeys[:1])
	if d.err != nil {
		return Destination{}
	}
	out := Destination{Type: DestinationType(d.choice(n.find("type"), "type", string(Dataset), string(Screen)))}
	id, name, project := n.find("id"), n.find("name"), n.find("project")
	switch {
	case id == nil && name == nil:
		d.fault(n, "id, a number, or name, a text", "The destination has neither id nor name")
	case id != nil && name != nil:
		d.fault(name, "one of the two", "The destination has both id and name")
	case id != nil:
		var err error
		out.ID, err = strconv.ParseInt(id.text, 10, 64)
		if id.kind != kindNumber || !wholeNumber.MatchString(id.text) || err != nil || out.ID == 0 {
			d.fault(id, "a whole number above 0, without quotes", "The id %s is not one", quote(id.text))
		}
	default:
		out.Name = d.checked(n, "name", titleFault)
	}
	if project != nil {
		if out.Type != Dataset || name == nil {
			d.fault(project, "", "A project goes with the name of a Dataset only")
		}
		out.Project = d.checked(n, "project", titleFault)
	}
	return out
}

func (d *decoder) files(n *node) []string {
	if n == nil {
		return nil
	}
	const expected = "paths or patterns, such as [\"*.tif\", plate1/]"
	if n.kind != kindList || len(n.items) == 0 {
		if n.kind == kindList {
			d.fault(n, expected, "The list of files is empty")
		}
		d.fault(n, "a list of "+expected, "The files are %s", n.kind)
		return nil
	}
	files := make([]string, len(n.items))
	globs := 0
	for i, item := range n.items {
		files[i] = d.text(item, "file")
		if wrong := patternFault(files[i]); wrong != "" {
			d.fault(item, "", "The file %s %s", quote(files[i]), wrong)
		}
		if at := strings.IndexAny(files[i], meta); at >= 0 {
			globs += len(files[i]) - at
		}
	}
	if globs > maxGlobsBytes {
		d.fault(n, "names of folders in place of patterns", "The patterns have %d bytes together from their first wildcards on, more than %d", globs, maxGlobsBytes)
	}
	return files
}

// patternFault says what is wrong with an entry of files.
func patternFault(p string) string {
	switch _, err := path.Match(p, ""); {
	case p == "":
		return "is empty"
	case HasMeta(p) && len(p) > maxGlobBytes:
		return fmt.Sprintf("is a pattern of %d bytes, more than %d", len(p), maxGlobBytes)
	case HasMeta(p) && slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool { return len(part) > maxGlobPart }):
		return fmt.Sprintf("is a pattern with a part of more than %d bytes, longer than any name", maxGlobPart)
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "leaves its folder by \"..\"; write the whole path"
	case err != nil:
		return "is not a pattern: a \"[\" or a \"\\\" in it lacks its end; write \"\\\\[\" for the character itself"
	}
	return ""
}

func (d *decoder) converter(n *node) *Converter {
	if n == nil {
		return nil
	}
	d.keys(n, "The preprocessing", converterKeys, converterKeys[:1])
	if d.err != nil {
		return nil
	}
	c := NewConverter(d.checked(n, "container", imageFault))
	if params := n.find("params"); params != nil {
		if params.kind != kindMap {
			d.fault(params, "a mapping of the converter's options", "The params are %s", params.kind)
			return nil
		}
		c.Params, _ = d.value(params).(map[string]any)
	}
	return c
}

// imageFault says what is wrong with the name of a container image.
func imageFault(name string) string {
	if strings.ContainsAny(name, " \t\n") || strings.HasPrefix(name, "-") {
		return quote(name) + " is not the name of an image"
	}
	return titleFault(name)
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// value returns a node as encoding/json would decode it, with UseNumber. What
// YAML reads as a number but JSON does not, such as 007 or 0x1f, stays text:
// options are handed to the converter as they were written.
func (d *decoder) value(n *node) any {
	switch n.kind {
	case kindNull:
		return nil
	case kindBool:
		return strings.EqualFold(n.text, "true")
	case kindNumber:
		if jsonNumber.MatchString(n.text) {
			return json.Number(n.text)
		}
	case kindList:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = d.value(item)
		}
		return items
	case kindMap:
		object := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			if wrong := titleFault(p.key.text); wrong != "" {
				d.fault(p.key, "", "The option %s", wrong)
			}
			object[p.key.text] = d.value(p.value)
		}
		return object
	case kindText:
	}
	return n.text
}

func (d *decoder) priority(n *node) *int {
	if n == nil {
		return nil
	}
	expected := Priorities + ", without quotes"
	p, err := strconv.Atoi(n.text)
	switch {
	case n.kind == kindList || n.kind == kindMap || n.kind == kindNull:
		d.fault(n, expected, "The priority is %s", n.kind)
	case n.kind != kindNumber || err != nil || !IsPriority(p):
		d.fault(n, expected, "The priority %s is not one", quote(n.text))
	}
	return &p
}

func (d *decoder) metadata(n *node) map[string]string {
	if n == nil {
		return nil
	}
	if n.kind != kindMap {
		d.fault(n, "lines of the form \"key: value\"", "The metadata is %s", n.kind)
		return nil
	}
	out := make(map[string]string, len(n.pairs))
	for _, p := range n.pairs {
		if wrong := titleFault(p.key.text); wrong != "" {
			d.fault(p.key, "", "The metadata key %s", wrong)
		}
		if p.value.kind == kindList || p.value.kind == kindMap {
			d.fault(p.value, "a text or a number", "The metadata %s is %s", quote(p.key.text), p.value.kind)
		}
		if wrong := proseFault(p.value.text); wrong != "" {
			d.fault(p.value, "", "The metadata %s %s", quote(p.key.text), wrong)
		}
		out[p.key.text] = p.value.text
	}
	return out
}
