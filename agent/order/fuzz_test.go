package order_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// Whatever a manifest holds, it is decoded or refused as Invalid, and what is
// decoded is the same after it was encoded.
func FuzzDecodeManifest(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := order.DecodeManifest("scan.order.yml", data)
		if err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "gave up", "the parser panicked")
			return
		}
		require.NoError(t, order.CheckName("group", m.Group))
		require.NoError(t, order.CheckName("user", m.User))
		for _, p := range m.Patterns("/data/in") {
			require.True(t, filepath.IsAbs(p.Path))
			require.Equal(t, filepath.Clean(p.Path), p.Path)
		}
		encoded, err := m.Encode()
		require.NoError(t, err)
		again, err := order.DecodeManifest("scan.order.yml", encoded)
		require.NoError(t, err, string(encoded))
		require.Equal(t, m, again, string(encoded))
	})
}

func FuzzDecodeLegacy(f *testing.F) {
	f.Add(legacyHead + "DatasetID: 1\nFiles: [\"/a.tif\"]\n")
	f.Add(legacyHead + "ScreenID: 1\nFiles: ['/a\\x00.tif', \"/b\"]\n")
	f.Add(legacyHead + "DatasetID: 1\nFiles: [/a" + strings.Repeat(",", 1<<16) + "/b , c]\n")
	f.Add("Username: a\nGroup: b\nDataset: c\nPath: /d\nFiles: [e,f]\npreprocessing_container: g\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := order.DecodeLegacy(legacyName, []byte(text))
		if err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
			return
		}
		require.NotEmpty(t, l.Files)
		files := l.Order(dataMap).Files
		for _, p := range files {
			require.NotContains(t, strings.Split(p, "/"), "..")
			require.NotContains(t, p, "\x00")
		}
		again, err := order.DecodePaths(order.EncodePaths(files))
		require.NoError(t, err)
		require.Equal(t, files, again)
	})
}

// Whatever clients write into the other columns, it is understood or refused
// as Invalid, and what is understood is the same after it was written back.
func FuzzDecodeColumns(f *testing.F) {
	f.Add("Dataset", "151", "lab/convert:v1", "/out", `{"n": 1.50, "deep": {"x": [true, null, "007"]}}`)
	f.Add("Screen", " 7 ", "lab/convert", "", "null")
	f.Add("Project", "-1", "--privileged", "", "{} {}")
	f.Add("Dataset", "1", "a", "", "\v\u00a0")
	f.Fuzz(func(t *testing.T, typ, id, container, alt, object string) {
		refused := func(err error) bool {
			if err != nil {
				require.Equal(t, order.Invalid, order.ClassOf(err))
			}
			return err != nil
		}
		if d, err := order.ParseDestination(typ, id); !refused(err) {
			again, err := order.ParseDestination(string(d.Type), strconv.FormatInt(d.ID, 10))
			require.NoError(t, err)
			require.Equal(t, d, again)
		}
		if c, err := order.DecodeConverter(container, "{Files}", "/data", &alt, []byte(object)); !refused(err) {
			params, err := json.Marshal(c.Params)
			require.NoError(t, err)
			again, err := order.DecodeConverter(c.Container, c.InputFile, c.OutputFolder, &c.AltOutputFolder, params)
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
		if err := order.CheckOptions(&object); !refused(err) {
			require.Empty(t, strings.Trim(object, " \t\r\n{}nul"), "an option was passed over")
		}
	})
}

func FuzzDecodePaths(f *testing.F) {
	f.Add(`["/a\udcff\ud83d\udd2c"]`, "/b\xff")
	f.Add(`[1]`, "")
	f.Fuzz(func(t *testing.T, column, path string) {
		for size := range 4 {
			requireSameInPieces(t, column, size+1)
		}
		if paths, err := order.DecodePaths(column); err == nil {
			again, err := order.DecodePaths(order.EncodePaths(paths))
			require.NoError(t, err)
			require.Equal(t, paths, again)
		}
		if path != "" && !strings.Contains(path, "\x00") {
			paths, err := order.DecodePaths(order.EncodePaths([]string{path}))
			require.NoError(t, err)
			require.Equal(t, []string{path}, paths)
		}
	})
}

// requireSameInPieces requires that a column of pieces is understood as the whole is.
func requireSameInPieces(t *testing.T, column string, size int) {
	t.Helper()
	want, wrong := order.DecodePaths(column)
	head := column[:min(size, len(column))]
	rest := column[len(head):]
	var got []string
	err := order.EachPath(head, func() (string, error) {
		piece := rest[:min(size, len(rest))]
		rest = rest[len(piece):]
		return piece, nil
	}, func(path string) error {
		got = append(got, path)
		return nil
	})
	if wrong != nil {
		require.Error(t, err)
		require.Equal(t, order.Invalid, order.ClassOf(err))
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, got)
}
