package bioformats_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
)

const tiff = "II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// find looks at files that are written first.
func find(t *testing.T, files map[string]string, paths ...string) *bioformats.Found {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	all := make([]string, 0, len(paths))
	for _, path := range paths {
		all = append(all, filepath.Join(dir, path))
	}
	return bioformats.Find(all, 4)
}

func TestOneFile(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		images  int
		plates  []int
		err     error
	}{
		"a.tif":         {tiff, 1, nil, nil},
		"big.dat":       {"MM\x00+ and sixteen bytes", 1, nil, nil},
		"any.name":      {tiff, 1, nil, nil},
		"text.tif":      {"taken on its word", 1, nil, nil},
		"photo.JPG":     {"x", 1, nil, nil},
		"ome.tif":       {tiff + `<OME><Image ID="0"/><Image ID="1"/></OME>`, 2, nil, nil},
		"plate.tif":     {tiff + `<OME><Plate ID="0"/><Image ID="0"/><Image ID="1"/></OME>`, 0, []int{2}, nil},
		"whole.png":     {"\x89PNG\r\n\x1a\n …IEND…", 1, nil, nil},
		"cut.png":       {"\x89PNG\r\n\x1a\n", 0, nil, bioformats.ErrCorrupt},
		"cut.tif":       {"II*\x00\x08", 0, nil, bioformats.ErrCorrupt},
		"note.txt":      {"x", 0, nil, bioformats.ErrUnknown},
		"no_extension":  {"x", 0, nil, bioformats.ErrUnknown},
		"empty.tif":     {"", 0, nil, bioformats.ErrUnknown},
		"images.lif":    {"omerotest: images=3\n", 3, nil, nil},
		"plates.txt":    {"omerotest: plates=2 wells=3 fields=2", 0, []int{6, 6}, nil},
		"corrupt.czi":   {"omerotest: corrupt", 0, nil, bioformats.ErrCorrupt},
		"unknown.czi":   {"omerotest: unknown", 0, nil, bioformats.ErrUnknown},
		"unreadable.cz": {"omerotest: unreadable", 0, nil, bioformats.ErrUnreadable},
		"misspelt.czi":  {"omerotest: image=3", 0, nil, bioformats.ErrCorrupt},
		"lonely.vsi":    {"omerotest: parts=missing.ets", 0, nil, bioformats.ErrCorrupt},
	} {
		found := find(t, map[string]string{name: tc.content}, name)
		if tc.err != nil {
			require.Empty(t, found.Candidates, name)
			require.Len(t, found.Problems, 1, name)
			require.ErrorIs(t, found.Problems[0].Err, tc.err, name)
			continue
		}
		require.Len(t, found.Candidates, 1, name)
		require.Equal(t, tc.images, found.Candidates[0].Images, name)
		require.Equal(t, tc.plates, found.Candidates[0].Plates, name)
		require.Equal(t, tc.plates != nil, found.Candidates[0].SPW(), name)
	}
}

func TestFilesThatBelongTogether(t *testing.T) {
	files := map[string]string{
		"a.companion.ome": `<OME><Image ID="0"/><TiffData><UUID FileName="a1.tif"/></TiffData><TiffData><UUID FileName="a2.tif"/></TiffData></OME>`,
		"a1.tif":          tiff, "a2.tif": tiff, "alone.tif": tiff,
	}
	for name, paths := range map[string][]string{
		"main first":   {"a.companion.ome", "a1.tif", "a2.tif"},
		"parts first":  {"a1.tif", "a2.tif", "a.companion.ome"},
		"in the midst": {"a2.tif", "a.companion.ome", "a1.tif"},
		"main only":    {"a.companion.ome"},
	} {
		found := find(t, files, append(paths, "alone.tif")...)
		require.Len(t, found.Candidates, 2, name)
		require.Len(t, found.Candidates[0].Used, 3, name)
		require.Equal(t, "a.companion.ome", filepath.Base(found.Candidates[0].File), name)
	}
	require.Len(t, find(t, files, "a1.tif", "a2.tif").Candidates, 2, "without their main file")
}
