package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/cli"
)

func rows(output string, columns int) (rows [][]string, err error) {
	err = cli.ReadRows(strings.NewReader(output), columns, func(row []string) error {
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

func TestReadRows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		output string
		want   [][]string
		err    string
	}{
		"nothing found":            {"[]\n", nil, ""},
		"rows":                     {`[{"#": "0", "Col2": "b", "Col1": "a"}, {"#": "1", "Col1": "None", "Col2": ""}]`, [][]string{{"a", "b"}, {"None", ""}}, ""},
		"after other lines":        {"Joined session\n\nwarning: [deprecated]\n[\n{\"Col1\":\"é\\n\",\"Col2\":\"[\"}\n]\n", [][]string{{"é\n", "["}}, ""},
		"nothing":                  {"", nil, "there is no list"},
		"only other lines":         {"Joined session\n", nil, "there is no list"},
		"cut off between rows":     {`[{"Col1":"a","Col2":"b"},`, [][]string{{"a", "b"}}, "EOF"},
		"cut off in a row":         {`[{"Col1":"a","Col`, nil, "EOF"},
		"cut off before its end":   {`[{"Col1":"a","Col2":"b"}`, [][]string{{"a", "b"}}, "EOF"},
		"without a column":         {`[{"Col1":"a"}]`, nil, "row 1 has no column 2"},
		"a number is not a text":   {`[{"Col1":1,"Col2":"b"}]`, nil, "cannot unmarshal number"},
		"a long line stands above": {strings.Repeat("x", 100_000) + "\n[]", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rows(tc.output, 2)
			require.Equal(t, tc.want, got)
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.err)
			}
		})
	}
}

// Whatever the values are they arrive, in whatever pieces.
func FuzzReadRows(f *testing.F) {
	f.Add("log line\n", "a", "]\n[{")
	f.Add("", "None", "")
	f.Fuzz(func(t *testing.T, before, one, two string) {
		before = strings.ReplaceAll(before, "[", "(") + "\n"
		one, two = strings.ToValidUTF8(one, "?"), strings.ToValidUTF8(two, "?")
		list, err := json.Marshal([]map[string]string{{"Col1": one, "Col2": two}, {"Col1": two, "Col2": one}})
		require.NoError(t, err)
		want := [][]string{{one, two}, {two, one}}
		got, err := rows(before+string(list)+"\n", 2)
		require.NoError(t, err)
		require.Equal(t, want, got)
		var pieces [][]string
		err = cli.ReadRows(iotest.OneByteReader(strings.NewReader(before+string(list))), 2, func(row []string) error {
			pieces = append(pieces, row)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, want, pieces)
		_, err = rows(before+string(list[:len(list)-1]), 2)
		require.Error(t, err)
	})
}

// Of millions of chunks those folders are left that tell units of an import apart.
func TestFolded(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"data/a.tif":                           "data/a.tif",
		"data/a.zarr":                          "data/a.zarr",
		"data/a.ome.zarr/.zattrs":              "data/a.ome.zarr/.zattrs",
		"data/a.ome.zarr/0/c/0/1/2":            "data/a.ome.zarr/0/c/0",
		"data/a.ome.zarr/0/0.0.0.1.2":          "data/a.ome.zarr/0/0.0.0.1.2",
		"data/p.zarr/A/1/0/0/0/0/0":            "data/p.zarr/A/1/0",
		"data/p.zarr/A/1/0/0/0.0.1":            "data/p.zarr/A/1/0",
		"data/p.zarr/A/1/0/labels/a/0/c/0/1":   "data/p.zarr/A/1/0/labels/a",
		"data/p.zarr/A/1/0/labels/b/.zattrs":   "data/p.zarr/A/1/0/labels/b/.zattrs",
		"data/no.zarr/2026/may/ada/4/1.tif":    "data/no.zarr/2026/may/ada/4/1.tif",
		"data/p.zarr/labels/cells.zarr/0/0/1":  "data/p.zarr/labels/cells.zarr/0/0/1",
		"data/p.zarr/labels/cells.zarr/0/0/1/": "data/p.zarr/labels/cells.zarr/0/0/1",
	} {
		require.Equal(t, want, cli.Folded(path), fmt.Sprint("of ", path))
	}
}
