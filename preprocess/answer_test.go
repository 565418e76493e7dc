package preprocess

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	got, err := decodeAnswer([]byte(` [{"name": "Ä", "full_path": "/data/a", "alt_path": "/out/a", "keyvalues": [
		{"b": [1097, 2.50, "x", null, {"k": [1]}], "a": "<t>"}, {"b": true, "n": null, "o": {"y": 1, "x": 2}}]},
		{"full_path": "/data/b", "alt_path": null, "keyvalues": {"k": 1e3}}, {"full_path": "/data/c"}] `))
	require.NoError(t, err)
	require.Equal(t, []reply{
		{name: "Ä", full: "/data/a", alt: "/out/a", keyValues: []KeyValue{
			{"b", []string{"1097", "2.50", "x", "null", `{"k":[1]}`}},
			{"a", []string{"<t>"}},
			{"b", []string{"true"}},
			{"n", nil},
			{"o", []string{`{"y":1,"x":2}`}},
		}},
		{full: "/data/b", keyValues: []KeyValue{{"k", []string{"1e3"}}}},
		{full: "/data/c"},
	}, got)
}

func TestDecodeAnswer_refuses(t *testing.T) {
	t.Parallel()
	for want, line := range map[string]string{
		"is missing":            "  ",
		"is longer than":        strings.Repeat(" ", 3) + "[" + strings.Repeat("1,", MaxAnswer/2) + "1]",
		"levels deep":           `[{"full_path": "a", "keyvalues": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}]",
		"not a JSON list":       `[{]`,
		"lacks the full_path":   `[{"full_path": "a"}, null]`,
		"items, more than":      "[" + strings.Repeat(`{"full_path": "a"},`, maxItems) + `{"full_path": "a"}]`,
		"are more than":         `[{"full_path": "a", "keyvalues": {` + strings.Repeat(`"a": 1,`, maxKeyValues) + `"b": 1}}]`,
		"zero byte in item 2":   `[{"full_path": "a"}, {"full_path": "b", "keyvalues": {"a": ["b", "c\u0000"]}}]`,
		"zero byte in item 1":   `[{"full_path": "a", "name": "b\u0000"}]`,
		"neither an object nor": `[{"full_path": "a", "keyvalues": [1]}]`,
	} {
		_, err := decodeAnswer([]byte(line))
		require.ErrorContains(t, err, want)
	}
}

// What is accepted has paths, and values that can be kept.
func FuzzDecodeAnswer(f *testing.F) {
	f.Add([]byte(`[{"name": "a", "full_path": "/data/a", "alt_path": "/out/a", "keyvalues": [{"a": [1, "x", null], "b": {"c": true}}]}]`))
	f.Add([]byte(`[{"full_path": "/data/a", "keyvalues": {"a": 1}}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := decodeAnswer(line)
		if err != nil {
			return
		}
		require.NotEmpty(t, got)
		for _, r := range got {
			require.NotEmpty(t, r.full)
			require.NotContains(t, r.name, "\x00")
			_, err := json.Marshal(r.keyValues)
			require.NoError(t, err)
		}
	})
}
