package preprocess

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of what a converter may answer.
const (
	MaxAnswer    = 4 << 20 // bytes of the line
	maxDepth     = 32
	maxItems     = 10_000
	maxKeyValues = 10_000 // of an item
)

// reply is one item of an answer, with paths of the container.
type reply struct {
	name, full, alt string
	keyValues       []KeyValue
}

// decodeAnswer understands the last line that a converter wrote. Its errors go on with
// what is wrong, as in "its answer ...".
func decodeAnswer(line []byte) ([]reply, error) {
	line = bytes.TrimSpace(line)
	switch {
	case len(line) == 0:
		return nil, errors.New("is missing: the last line on its standard output has to be a JSON list")
	case len(line) > MaxAnswer:
		return nil, fmt.Errorf("is longer than %d bytes", MaxAnswer)
	case depth(line) > maxDepth:
		return nil, fmt.Errorf("is nested more than %d levels deep", maxDepth)
	}
	var items []struct {
		Name      string          `json:"name"`
		FullPath  string          `json:"full_path"`
		AltPath   string          `json:"alt_path"`
		KeyValues json.RawMessage `json:"keyvalues"`
	}
	if err := json.Unmarshal(line, &items); err != nil {
		return nil, fmt.Errorf("is not a JSON list of items: %w", err)
	}
	if len(items) == 0 {
		return nil, errors.New("is an empty list: it made nothing to import")
	}
	if len(items) > maxItems {
		return nil, fmt.Errorf("has %d items, more than %d", len(items), maxItems)
	}
	replies := make([]reply, len(items))
	for i, item := range items {
		if item.FullPath == "" {
			return nil, fmt.Errorf("lacks the full_path of item %d", i+1)
		}
		pairs, err := decodeKeyValues(item.KeyValues)
		if err != nil {
			return nil, fmt.Errorf("has keyvalues in item %d that %w", i+1, err)
		}
		replies[i] = reply{name: item.Name, full: item.FullPath, alt: item.AltPath, keyValues: pairs}
		if replies[i].hasZero() {
			return nil, fmt.Errorf("has a zero byte in item %d, which no database keeps", i+1)
		}
	}
	return replies, nil
}

// hasZero reports whether one of its texts contains a zero byte.
func (r *reply) hasZero() bool {
	texts := []string{r.name, r.full, r.alt}
	for _, pair := range r.keyValues {
		texts = append(append(texts, pair.Key), pair.Values...)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.ContainsRune(text, 0) })
}

// depth is how deep JSON is nested.
func depth(text []byte) int {
	deep, deepest, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			deep++
			deepest = max(deepest, deep)
		case c == ']' || c == '}':
			deep--
		}
	}
	return deepest
}

// decodeKeyValues reads an object, or a list of objects, in the order in which it is written.
func decodeKeyValues(raw json.RawMessage) ([]KeyValue, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	objects := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &objects); err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
	}
	var pairs []KeyValue
	for _, object := range objects {
		more, err := decodeObject(object)
		if err != nil {
			return nil, err
		}
		if pairs = append(pairs, more...); len(pairs) > maxKeyValues {
			return nil, fmt.Errorf("are more than %d", maxKeyValues)
		}
	}
	return pairs, nil
}

func decodeObject(raw json.RawMessage) ([]KeyValue, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("are neither an object nor a list of objects")
	}
	var pairs []KeyValue
	for dec.More() {
		token, err := dec.Token()
		key, isKey := token.(string)
		if err != nil || !isKey {
			return nil, fmt.Errorf("cannot be read: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		values, err := texts(value)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		pairs = append(pairs, KeyValue{Key: key, Values: values})
	}
	return pairs, nil
}

// texts are a value's parts.
func texts(value json.RawMessage) ([]string, error) {
	parts := []json.RawMessage{value}
	if value[0] == '[' {
		if err := json.Unmarshal(value, &parts); err != nil {
			return nil, err
		}
	}
	if string(value) == "null" {
		return nil, nil
	}
	values := make([]string, len(parts))
	for i, part := range parts {
		text := strings.TrimSpace(string(part))
		switch text[0] {
		case '"':
			if err := json.Unmarshal(part, &text); err != nil {
				return nil, err
			}
		case '{', '[':
			var compact bytes.Buffer
			if err := json.Compact(&compact, part); err != nil {
				return nil, err
			}
			text = compact.String()
		}
		values[i] = text
	}
	return values, nil
}
