package order_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// The texts on the right are what Python's json.dumps writes.
func TestEncodePaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/data/a.tif":       `["/data/a.tif"]`,
		"/Größe":            `["/Gr\u00f6\u00dfe"]`,
		"/\U0001F52C":       `["/\ud83d\udd2c"]`,
		"/a\xffb\xc3":       `["/a\udcffb\udcc3"]`,
		"/\"\\\n\t\r\b\f/":  `["/\"\\\n\t\r\b\f/"]`,
		"/\x01\x7f<&>":      `["/\u0001\u007f<&>"]`,
		"/\u2028\ufffd'":    `["/\u2028\ufffd'"]`,
		"/\xed\xb3\xbf.tif": `["/\udced\udcb3\udcbf.tif"]`,
	} {
		require.Equal(t, want, order.EncodePaths([]string{path}))
		back, err := order.DecodePaths(want)
		require.NoError(t, err)
		require.Equal(t, []string{path}, back)
	}
	require.Equal(t, `["/a", "/b"]`, order.EncodePaths([]string{"/a", "/b"}))
	require.Equal(t, `[]`, order.EncodePaths(nil))
}

func TestDecodePaths(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		column string
		want   []string
	}{
		{" [ \"/a\" ,\n\"/b\"] ", []string{"/a", "/b"}},
		{`["\/a\u00E9é"]`, []string{"/aéé"}},
	} {
		got, err := order.DecodePaths(tc.column)
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
	const list = `; expected a JSON list of paths such as ["/data/a.tif"].`
	for column, want := range map[string]string{
		"":                                 `The order's files "" are not JSON` + list,
		"/data/a.tif":                      `The order's files "/data/a.tif" are not JSON` + list,
		"['/a']":                           `The order's files "['/a']" are not JSON` + list,
		`["/a"`:                            `The order's files "[\"/a\"" are not JSON` + list,
		`["/a",]`:                          `The order's files "[\"/a\",]" are not JSON` + list,
		`["/a"] x`:                         `The order's files "[\"/a\"] x" are not JSON` + list,
		`["/\ud800"]`:                      `The order's files "[\"/\\ud800\"]" are not JSON` + list,
		`["\x"]`:                           `The order's files "[\"\\x\"]" are not JSON` + list,
		"[\"a\nb\"]":                       `The order's files "[\"a\nb\"]" are not JSON` + list,
		`{"a": 1}`:                         `The order's files "{\"a\": 1}" are not a list` + list,
		`"/a"`:                             `The order's files "\"/a\"" are not a list` + list,
		"null":                             `The order's files "null" are not a list` + list,
		`["/a", 1]`:                        `The order's files "[\"/a\", 1]" hold something that is not a text` + list,
		`[["/a"]]`:                         `The order's files "[[\"/a\"]]" hold something that is not a text` + list,
		"[]":                               `The order names no files.`,
		`["/a", ""]`:                       `File 2 of the order is an empty text.`,
		`["/a\u0000"]`:                     `File 1 of the order, "/a\x00", holds a NUL character, which no path can.`,
		strings.Repeat("é", 100):           `The order's files "` + strings.Repeat("é", 60) + `"… are not JSON` + list,
		strings.Repeat("[", 16<<20+1):      `The order's list of files is larger than 16777216 bytes: divide the order.`,
		strings.Repeat("[", 1<<20):         `The order's files "` + strings.Repeat("[", 60) + `"… hold something that is not a text` + list,
		"[" + strings.Repeat(`"a",`, 1000): `The order's files "[` + strings.Repeat(`\"a\",`, 14) + `\"a\""… are not JSON` + list,
	} {
		_, err := order.DecodePaths(column)
		require.EqualError(t, err, want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestShortNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, `[]`, order.ShortNames(nil))
	require.Equal(t, `["a.tif"]`, order.ShortNames([]string{"/d/a.tif"}))
	require.Equal(t, `["a.tif", "b.tif"]`, order.ShortNames([]string{"/d/a.tif", "/e/b.tif"}))
	require.Equal(t, `["a.tif", "...", "c.tif"]`, order.ShortNames([]string{"/d/a.tif", "/d/b.tif", "/d/c.tif"}))
}

func TestParseDestination(t *testing.T) {
	t.Parallel()
	d, err := order.ParseDestination("Screen", " 42\n")
	require.NoError(t, err)
	require.Equal(t, order.Destination{Type: order.Screen, ID: 42}, d)
	for _, tc := range []struct{ typ, id, want string }{
		{"Project", "1", `The destination's type is "Project": images go into a Dataset or a Screen.`},
		{"dataset", "1", `The destination's type is "dataset": images go into a Dataset or a Screen.`},
		{"Dataset", "abc", `The Dataset's id is "abc": it has to be a whole number above 0.`},
		{"Dataset", "", `The Dataset's id is "": it has to be a whole number above 0.`},
		{"Dataset", "0", `The Dataset's id is "0": it has to be a whole number above 0.`},
		{"Dataset", "-1", `The Dataset's id is "-1": it has to be a whole number above 0.`},
		{"Dataset", "+1", `The Dataset's id is "+1": it has to be a whole number above 0.`},
		{"Screen", "9223372036854775808", `The Screen's id is "9223372036854775808": it has to be a whole number above 0.`},
		{"Screen", strings.Repeat("1", 99), `The Screen's id is "` + strings.Repeat("1", 60) + `"…: it has to be a whole number above 0.`},
	} {
		_, err := order.ParseDestination(tc.typ, tc.id)
		require.EqualError(t, err, tc.want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestCheckOptions(t *testing.T) {
	t.Parallel()
	require.NoError(t, order.CheckOptions(nil))
	for _, text := range []string{"", " ", "{}", " {\n} ", "null"} {
		require.NoError(t, order.CheckOptions(&text))
	}
	for text, want := range map[string]string{
		`{"schema":1,"platePixelSource":"x"}`: `The order's import_options "platePixelSource", "schema" are not supported by this version: leave them out.`,
		`[]`:                                  `The order's import_options "[]" are not supported by this version: they are no JSON object.`,
		`{} {"a":1}`:                          `The order's import_options "{} {\"a\":1}" are not supported by this version: they are no JSON object.`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`: `The order's import_options "a", "b", "c", "d", "e", "f", "g", "h", … ` +
			`are not supported by this version: leave them out.`,
	} {
		err := order.CheckOptions(&text)
		require.EqualError(t, err, want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestDecodeConverter(t *testing.T) {
	t.Parallel()
	alt := "/out"
	for extra, want := range map[string]map[string]any{
		"": nil, "null": nil, "{}": {},
		`{"n": 1.10, "b": true, "s": "x", "l": [1, null], "o": {"k": "v"}}`: {
			"n": json.Number("1.10"), "b": true, "s": "x", "l": []any{json.Number("1"), nil}, "o": map[string]any{"k": "v"},
		},
	} {
		c, err := order.DecodeConverter("lab/c:v1", "{Files}", "/data", &alt, []byte(extra))
		require.NoError(t, err)
		require.Equal(t, &order.Converter{Container: "lab/c:v1", InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out", Params: want}, c)
	}
	c, err := order.DecodeConverter("c", "i", "o", nil, nil)
	require.NoError(t, err)
	require.Equal(t, &order.Converter{Container: "c", InputFile: "i", OutputFolder: "o"}, c)

	_, err = order.DecodeConverter("c", "i", "o", nil, []byte(`[1]`))
	require.EqualError(t, err, `The preprocessing's extra_params are "[1]": they have to be a JSON object.`)
	require.Equal(t, order.Invalid, order.ClassOf(err))
	_, err = order.DecodeConverter(" ", "i", "o", nil, nil)
	require.EqualError(t, err, `The preprocessing container " " is not the name of an image.`)
	_, err = order.DecodeConverter("", "i", "o", nil, nil)
	require.EqualError(t, err, `The preprocessing container is empty.`)
}

func TestDecodePaths_refusesTooMany(t *testing.T) {
	t.Parallel()
	_, err := order.DecodePaths(`["a"` + strings.Repeat(`,"a"`, 1_000_000) + `]`)
	require.ErrorContains(t, err, "more than 100000")
	require.Equal(t, order.Invalid, order.ClassOf(err))
}

func TestDividePaths(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path  string
		count int
		want  []int // paths in each part
	}{
		"none":  {"/a", 0, []int{0}},
		"one":   {"/a", 1, []int{1}},
		"a few": {"/a", 50_000, []int{50_000}},
		"many":  {"/a", 100_001, []int{50_000, 50_000, 1}},
		"long":  {"/" + strings.Repeat("ж", 100), 20_000, []int{13_865, 6135}},
	} {
		paths := slices.Repeat([]string{tc.path}, tc.count)
		var got []int
		for _, part := range order.DividePaths(paths) {
			got = append(got, len(part))
			require.NoError(t, order.CheckPaths(part))
		}
		require.Equal(t, tc.want, got, name)
	}
}

func TestCheckPaths(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path  string
		count int
		want  string
	}{
		{"/a", 100_000, ""},
		{"/a", 100_001, "The order has 100001 files, more than 100000"},
		{"/" + strings.Repeat("x", 4000), 4195, "The names of the order's 4195 files take"},
	} {
		paths := slices.Repeat([]string{tc.path}, tc.count)
		err := order.CheckPaths(paths)
		_, decoding := order.DecodePaths(order.EncodePaths(paths))
		if tc.want == "" {
			require.NoError(t, err)
			require.NoError(t, decoding)
			continue
		}
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
		require.Error(t, decoding)
	}
}

// What cannot be read on is no fault of the list, wherever that shows.
func TestEachPath_saysThatItCannotReadOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the connection is gone")
	for _, head := range []string{``, `[`, `["/a`, `["/a"`, `["/a",`, `["/a\t`, `["/a\t"`, `["/a\t",`} {
		err := order.EachPath(head, func() (string, error) { return "", broken }, func(string) error { return nil })
		require.ErrorIs(t, err, broken, head)
	}
}
