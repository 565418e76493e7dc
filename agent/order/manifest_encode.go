package order

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Encode writes the manifest as YAML of one fixed form, which DecodeManifest
// turns into an equal manifest. Texts are always quoted, so that 007 and
// "true" stay texts. It fails for Params that JSON cannot hold.
func (m *Manifest) Encode() ([]byte, error) {
	var b strings.Builder
	line := func(indent, key, value string) { b.WriteString(indent + key + ": " + value + "\n") }
	line("", "group", quoteYAML(m.Group))
	line("", "user", quoteYAML(m.User))
	b.WriteString("destination:\n")
	line("  ", "type", string(m.Destination.Type))
	if m.Destination.Name == "" {
		line("  ", "id", strconv.FormatInt(m.Destination.ID, 10))
	} else {
		line("  ", "name", quoteYAML(m.Destination.Name))
	}
	if m.Destination.Project != "" {
		line("  ", "project", quoteYAML(m.Destination.Project))
	}
	b.WriteString("files:\n")
	for _, f := range m.Files {
		b.WriteString("  - " + quoteYAML(f) + "\n")
	}
	if m.UUID != "" {
		line("", "uuid", quoteYAML(m.UUID))
	}
	if m.Description != "" {
		line("", "description", quoteYAML(m.Description))
	}
	if c := m.Converter; c != nil {
		b.WriteString("preprocessing:\n")
		line("  ", "container", quoteYAML(c.Container))
		if c.Params != nil {
			params, err := flowYAML(c.Params)
			if err != nil {
				return nil, fmt.Errorf("encoding the manifest's params: %w", err)
			}
			line("  ", "params", params)
		}
	}
	if m.Metadata != nil {
		metadata, err := flowYAML(m.Metadata)
		if err != nil {
			return nil, fmt.Errorf("encoding the manifest's metadata: %w", err)
		}
		line("", "metadata", metadata)
	}
	if m.Priority != nil {
		line("", "priority", strconv.Itoa(*m.Priority))
	}
	line("", "wait_for", string(m.WaitFor))
	return []byte(b.String()), nil
}

// flowYAML writes a value in one line.
func flowYAML(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return quoteYAML(v), nil
	case map[string]string:
		object := make(map[string]any, len(v))
		for k, s := range v {
			object[k] = s
		}
		return flowYAML(object)
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			part, err := flowYAML(v[k])
			if err != nil {
				return "", err
			}
			parts = append(parts, quoteYAML(k)+": "+part)
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			part, err := flowYAML(item)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	default:
		text, err := json.Marshal(v)
		return string(text), err
	}
}

// quoteYAML writes text in double quotes. What does not print is escaped, so
// that nothing depends on how a reader treats it.
func quoteYAML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
