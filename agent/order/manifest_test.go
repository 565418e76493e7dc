package order_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// againstSchema checks a manifest as an editor would.
func againstSchema(t *testing.T, data []byte) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../configs/order.schema.json")
	require.NoError(t, err)
	var tree any
	if err := yaml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &tree); err != nil {
		return err
	}
	text, err := json.Marshal(tree)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	return schema.Validate(value)
}

func TestGoodManifests(t *testing.T) {
	t.Parallel()
	dataset := order.Destination{Type: order.Dataset, ID: 151}
	for file, want := range map[string]order.Manifest{
		"minimal": {Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, WaitFor: order.WaitSettled},
		"windows": {Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, WaitFor: order.WaitSettled},
		"odd_names": {
			Group: "true", User: "007", Destination: order.Destination{Type: order.Dataset, Name: "2024", Project: "1.10"},
			Files:   []string{"007", "two words.tif", "line\nbreak.tif", "Größe \U0001F52C.tif", `\[not a class].tif`},
			WaitFor: order.WaitSettled,
		},
		"screen": {
			Group: "Demo", User: "researcher", Destination: order.Destination{Type: order.Screen, Name: "Plates / May"},
			Files: []string{"plate1/"}, WaitFor: order.WaitPresent,
		},
		"params": {
			Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, WaitFor: order.WaitSettled,
			Converter: &order.Converter{
				Container: "ghcr.io/lab/converter:v1", InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out",
				Params: map[string]any{
					"image_uuid": "abc", "level": json.Number("1.10"), "plate": "007", "fast": true, "none": nil,
					"wells": []any{json.Number("1"), map[string]any{"row": "A"}},
				},
			},
		},
		"metadata": {
			Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, WaitFor: order.WaitSettled,
			Description: "Two\nlines\n",
			Metadata: map[string]string{
				"stain": "DAPI", "magnification": "63x", "gain": "1.10", "id": "007", "bleached": "True", "note": "", "empty": "",
			},
		},
		"priority":      {Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, Priority: new(-100), WaitFor: order.WaitSettled},
		"priority_zero": {Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"*.tif"}, Priority: new(0), WaitFor: order.WaitSettled},
		"json": {
			Group: "Demo", User: "researcher", Destination: dataset, Files: []string{"a.tif", "\U0001F52C.tif"},
			UUID: "afe38fe0-ea2b-43e6-949d-364827c66230", Priority: new(100), WaitFor: order.WaitSettled,
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data := read(t, filepath.Join("testdata", file+".good.yml"))
			m, err := order.DecodeManifest("scan.order.yml", data)
			require.NoError(t, err)
			require.Equal(t, &want, m)
			require.NoError(t, againstSchema(t, data))
			encoded, err := m.Encode()
			require.NoError(t, err)
			again, err := order.DecodeManifest("scan.order.yml", encoded)
			require.NoError(t, err, string(encoded))
			require.Equal(t, m, again)
			require.NoError(t, againstSchema(t, encoded))
		})
	}
}

func TestDecodeManifest_boundsThePatterns(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("a", 127)+"/", 32)[:4<<10-1] + "*"
	for _, tc := range []struct {
		files []string
		want  string
	}{
		{[]string{long, "b" + strings.Repeat("/long name", 1<<10)}, ""},
		{[]string{long + "*"}, `4:9: The file "` + strings.Repeat("a", 60) + `"… is a pattern of 4097 bytes, more than 4096.`},
		{[]string{"dir/*" + strings.Repeat("a", 299)}, ""},
		{[]string{"dir/*" + strings.Repeat("a", 300)}, `4:9: The file "dir/*` + strings.Repeat("a", 55) + `"… is a pattern with a part of more than 300 bytes, longer than any name.`},
		{slices.Repeat([]string{long}, 4), ""},
		{slices.Repeat([]string{"dir/*" + strings.Repeat("a", 127)}, 16), ""},
		{slices.Repeat([]string{"dir/*" + strings.Repeat("a", 127)}, 17), "4:8: The patterns have 2176 bytes together from their first wildcards on, more than 2048. Expected names of folders in place of patterns."},
	} {
		text := fmt.Sprintf("group: Demo\nuser: ada\ndestination: {type: Dataset, id: 1}\nfiles: [%s]\n", `"`+strings.Join(tc.files, `", "`)+`"`)
		_, err := order.DecodeManifest("order.yml", []byte(text))
		if tc.want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, "order.yml:"+tc.want)
		}
	}
}

const allKeys = "group, user, destination, files, uuid, description, preprocessing, metadata, priority or wait_for."

// badManifests says, for each file, what its author is told.
var badManifests = map[string]string{
	"unknown_key":               `3:1: The manifest has no key "destinatio"; did you mean "destination"? Expected ` + allKeys,
	"unknown_destination_key":   `3:30: The destination has no key "identifier". Expected type, id, name or project.`,
	"unknown_preprocessing_key": `5:31: The preprocessing has no key "parms"; did you mean "params"? Expected container or params.`,
	"no_group":                  `1:1: The manifest lacks the key "group". Expected the keys group, user, destination, files.`,
	"no_user":                   `1:1: The manifest lacks the key "user". Expected the keys group, user, destination, files.`,
	"no_destination":            `1:1: The manifest lacks the key "destination". Expected the keys group, user, destination, files.`,
	"no_files":                  `1:1: The manifest lacks the key "files". Expected the keys group, user, destination, files.`,
	"empty_files":               `4:8: The list of files is empty. Expected paths or patterns, such as ["*.tif", plate1/].`,
	"files_text":                `4:8: The files are a text. Expected a list of paths or patterns, such as ["*.tif", plate1/].`,
	"files_map":                 `4:10: The file is a mapping. Expected a text.`,
	"file_empty":                `4:9: The file "" is empty.`,
	"file_null":                 `4:9: The file is nothing. Expected a text.`,
	"file_nul":                  `4:9: The text holds a NUL or half a character.`,
	"file_climbs":               `4:17: The file "../other/a.tif" leaves its folder by ".."; write the whole path.`,
	"file_pattern":              `4:9: The file "a[.tif" is not a pattern: a "[" or a "\" in it lacks its end; write "\\[" for the character itself.`,
	"file_alias":                `4:9: A word that begins with * is an alias, which is not supported. Expected quotes around a pattern, such as "*.tif".`,
	"group_path":                `1:8: The group "a/b" is no name: it would lead to another folder.`,
	"user_dots":                 `2:7: The user ".." is no name: it would lead to another folder.`,
	"user_control":              `2:7: The user "a\nb" holds a control character.`,
	"user_list":                 `2:7: The user is a list. Expected a text.`,
	"type":                      `3:21: The type is "Project". Expected Dataset or Screen.`,
	"type_case":                 `3:21: The type is "dataset"; did you mean "Dataset"? Expected Dataset or Screen.`,
	"no_type":                   `3:15: The destination lacks the key "type". Expected the keys type.`,
	"destination_text":          `3:14: The destination is a text. Expected lines of the form "key: value" with the keys type, id, name or project.`,
	"id_and_name":               `3:45: The destination has both id and name. Expected one of the two.`,
	"no_id":                     `3:15: The destination has neither id nor name. Expected id, a number, or name, a text.`,
	"id_zero":                   `3:34: The id "0" is not one. Expected a whole number above 0, without quotes.`,
	"id_text":                   `3:34: The id "151" is not one. Expected a whole number above 0, without quotes.`,
	"id_fraction":               `3:34: The id "1.5" is not one. Expected a whole number above 0, without quotes.`,
	"id_huge":                   `3:34: The id "9223372036854775808" is not one. Expected a whole number above 0, without quotes.`,
	"project_screen":            `3:52: A project goes with the name of a Dataset only.`,
	"project_id":                `3:48: A project goes with the name of a Dataset only.`,
	"uuid": `5:7: The uuid "afe38fe0ea2b43e6949d364827c66230" is not one. ` +
		`Expected 32 hexadecimal digits such as 123e4567-e89b-12d3-a456-426614174000.`,
	"container_option": `5:28: The container "--privileged" is not the name of an image.`,
	"no_container":     `5:17: The preprocessing lacks the key "container". Expected the keys container.`,
	"params_list":      `5:39: The params are a list. Expected a mapping of the converter's options.`,
	"metadata_list":    `5:19: The metadata "stain" is a list. Expected a text or a number.`,
	"metadata_text":    `5:11: The metadata is a text. Expected lines of the form "key: value".`,
	"priority_high":    `5:11: The priority "101" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_low":     `5:11: The priority "-101" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_huge":    `5:11: The priority "9223372036854775808" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_part":    `5:11: The priority "1.5" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_quoted":  `5:11: The priority "5" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_word":    `5:11: The priority "high" is not one. Expected a whole number from -100 to 100, without quotes.`,
	"priority_empty":   `5:11: The priority is nothing. Expected a whole number from -100 to 100, without quotes.`,
	"priority_list":    `5:11: The priority is a list. Expected a whole number from -100 to 100, without quotes.`,
	"wait_for":         `5:11: The wait_for is "settle"; did you mean "settled"? Expected settled or present.`,
	"list":             `1:1: The manifest is a list. Expected lines of the form "key: value" with the keys ` + allKeys,
	"empty":            `1:1: The file is empty. Expected an order: group, user, destination and files.`,
	"twice":            `3:1: The key "user" is given twice. Expected each key once.`,
	"two_documents":    `5:1: A second document begins here. Expected one order in each file.`,
	"anchor":           `1:8: A word that begins with & is an anchor, which is not supported. Expected quotes around it.`,
	"merge":            `5:1: Merge keys (<<) are not supported. Expected each key written out.`,
	"tag":              `1:8: A word that begins with ! is a tag, which is not supported. Expected quotes around it.`,
	"complex_key":      `1:1: Keys marked with ? are not supported. Expected key: value.`,
	"directive":        `1:1: A line that begins with % is a directive, which is not supported. Expected quotes around it.`,
	"unclosed":         `4:1: This is not YAML: ',' or '}' must be specified.`,
	"tab":              `4:1: This is not YAML: found character '\t' that cannot start any token.`,
	"nul":              `2:11: There is a NUL byte here. Expected plain text, saved as UTF-8.`,
	"latin1":           `2:8: There is a byte here that is not UTF-8. Expected a file saved as UTF-8.`,
	"utf16":            `1:1: The file is encoded in UTF-16. Expected a file saved as UTF-8.`,
	"deep":             `5:72: Lists and mappings are nested more than 32 deep here.`,
}

// beyondSchema are faults that a schema cannot see: of YAML itself, or of
// values whose rule it has no word for.
var beyondSchema = map[string]bool{
	"file_pattern": true, "two_documents": true, "anchor": true, "tag": true, "directive": true, "deep": true,
}

func TestBadManifests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.bad.yml")
	require.NoError(t, err)
	require.Len(t, files, len(badManifests))
	for file, want := range badManifests {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data := read(t, filepath.Join("testdata", file+".bad.yml"))
			_, err := order.DecodeManifest("/data/in/scan.order.yml", data)
			require.EqualError(t, err, "scan.order.yml:"+want)
			require.Equal(t, order.Invalid, order.ClassOf(err))
			if !beyondSchema[file] {
				require.Error(t, againstSchema(t, data), "the schema accepts it")
			}
		})
	}
}

func TestExampleManifest(t *testing.T) {
	t.Parallel()
	data := read(t, "../../configs/example.order.yml")
	require.NoError(t, againstSchema(t, data))
	m, err := order.DecodeManifest("example.order.yml", data)
	require.NoError(t, err)
	require.Equal(t, []string{"*.tif", "plate1/", "/data/Demo/extra.czi"}, m.Files)
	require.Equal(t, map[string]string{"stain": "DAPI", "magnification": "63x"}, m.Metadata)
	placed := m.Order(0)
	require.Equal(t, -10, placed.Priority)
	require.Equal(t, "123e4567-e89b-12d3-a456-426614174000", placed.UUID)
	require.Equal(t, order.Destination{Type: order.Dataset, Name: "Retina", Project: "Eye"}, placed.Destination)
	require.Empty(t, placed.Files, "they are still to be found")
}

func TestManifestOrder_hasThePriorityOfItsAuthor(t *testing.T) {
	t.Parallel()
	require.Equal(t, 7, (&order.Manifest{}).Order(7).Priority)
	require.Equal(t, 0, (&order.Manifest{Priority: new(0)}).Order(7).Priority)
}

// The limits leave room for what people do.
func TestManifestOfManyFiles(t *testing.T) {
	t.Parallel()
	m := order.Manifest{
		Group: "Demo", User: "ada", Destination: order.Destination{Type: order.Dataset, ID: 1}, WaitFor: order.WaitSettled,
		Metadata: map[string]string{},
	}
	for i := range 10_000 {
		m.Files = append(m.Files, fmt.Sprintf("/data/Demo/ada/%070d.tif", i))
	}
	for i := range 1000 {
		m.Metadata[fmt.Sprintf("key %d", i)] = "value"
	}
	data, err := m.Encode()
	require.NoError(t, err)
	again, err := order.DecodeManifest("order.yml", data)
	require.NoError(t, err)
	require.Equal(t, &m, again)
}

func TestManifestPlaceIsOneLine(t *testing.T) {
	t.Parallel()
	_, err := order.DecodeManifest("/data/odd\nname.order.yml", nil)
	require.ErrorContains(t, err, `"odd\nname.order.yml":1:1: The file is empty.`)
}

func TestIsManifest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"order.yml": true, "order.yaml": true, "order.json": true,
		"scan 7.order.yml": true, "a.order.yaml": true, "a.b.order.json": true,
		"order.yml.receipt.json": false, "a.order.yml.rejected.txt": false, "a.order.json.receipt.json": false,
		"order.txt": false, "reorder.yml": false, "border.json": false, "a.yml": false, "": false,
		"._a.order.yml": false, ".order.yml": false, "a.order.yml~": false, "order.yml.part": false,
	} {
		require.Equal(t, want, order.IsManifest(name), name)
	}
}

func TestManifestPatterns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ dir, file, want string }{
		{"/data/a", "b.tif", "/data/a/b.tif"},
		{"/data/a", "./b//c.tif", "/data/a/b/c.tif"},
		{"/data/a", "plate1/", "/data/a/plate1"},
		{"/data/a", "*.tif", "/data/a/*.tif"},
		{"/data/a", "/data/b/../c.tif", "/data/c.tif"}, // decoding refuses it
		{"/data/a[1]*", "b.tif", "/data/a[1]*/b.tif"},
		{"/data/a[1]*", "?.tif", `/data/a\[1]\*/?.tif`},
	} {
		m := order.Manifest{Files: []string{tc.file}}
		require.Equal(t, []order.Pattern{{Path: tc.want, Glob: order.HasMeta(tc.file)}}, m.Patterns(tc.dir))
	}
	require.True(t, order.HasMeta("a?"))
	require.True(t, order.HasMeta(`a\*`))
	require.False(t, order.HasMeta("a]b{c}"))
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"researcher", "007", "Ada Lovelace", "a..b", "Jürgen", strings.Repeat("a", 255)} {
		require.NoError(t, order.CheckName("user", name))
	}
	for name, want := range map[string]string{
		"": "The user is empty.", "\u00a0": "The user is empty.", "..": `The user ".." is no name: it would lead to another folder.`,
		"a/b": `The user "a/b" is no name: it would lead to another folder.`, "a\x7f": `The user "a\x7f" holds a control character.`,
		strings.Repeat("a", 256): "The user is longer than 255 bytes.", "a\xff": `The user "a\xff" is not valid UTF-8.`,
	} {
		require.EqualError(t, order.CheckName("user", name), want)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"group", "user", "files", "log_level", "max_workers"}
	for word, want := range map[string]string{
		"grup": "group", "gruop": "group", "Group": "group", "log-level": "log_level", "LOG_LEVEL": "log_level", "max_worker": "max_workers",
		"file": "files", "flies": "files", "users": "user",
	} {
		got, ok := order.Nearest(word, known)
		require.True(t, ok, word)
		require.Equal(t, want, got)
	}
	for _, word := range []string{"", "destination", "x", strings.Repeat("group", 1000)} {
		_, ok := order.Nearest(word, known)
		require.False(t, ok, word)
	}
}
