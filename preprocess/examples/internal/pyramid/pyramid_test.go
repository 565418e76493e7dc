package pyramid_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/examples/internal/pyramid"
	"biomero-importer/preprocess/tiff"
)

// openPage opens the first page of a file of 21 x 33 grey pixels.
func openPage(t *testing.T) *tiff.Page {
	t.Helper()
	in, err := os.Open("../../../tiff/testdata/strips-lzw-grey16.tif")
	require.NoError(t, err)
	t.Cleanup(func() { in.Close() })
	info, err := in.Stat()
	require.NoError(t, err)
	file, err := tiff.Open(in, info.Size())
	require.NoError(t, err)
	page, err := file.Page(0)
	require.NoError(t, err)
	return page
}

// Other tests see classic files; a BigTIFF needs gigabytes to come about by itself.
func TestAdd_writesABigTIFFThatOthersRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "big.tif")
	out, err := os.Create(path)
	require.NoError(t, err)
	w, err := tiff.NewWriter(out, true)
	require.NoError(t, err)
	page := openPage(t)
	plane := pyramid.Plane{
		Layout: pyramid.Layout{Format: page.Format, Tile: 16}, Page: page,
		Ranges: pyramid.NewRanges(1), Description: "big", Software: "test", Did: func(int) {},
	}
	require.NoError(t, pyramid.Add(t.Context(), w, plane))
	require.NoError(t, pyramid.Add(t.Context(), w, plane))
	require.NoError(t, out.Close())
	require.Equal(t, []pyramid.Range{{Min: 0, Max: (20*7 + 32*13) * 97}}, plane.Ranges)
	said, err := exec.Command("/usr/bin/python3", "-c", `
import numpy, sys, tifffile
want = (numpy.arange(21)[None, :] * 7 + numpy.arange(33)[:, None] * 13) * 97
with tifffile.TiffFile(sys.argv[1]) as file:
    print(file.is_bigtiff, file.pages[0].description, [numpy.array_equal(page.asarray(), want) for page in file.pages],
          [small.asarray().shape for page in file.pages for small in page.pages])`, path).CombinedOutput()
	require.NoError(t, err, string(said))
	require.Equal(t, "True big [True, True] [(17, 11), (9, 6), (17, 11), (9, 6)]\n", string(said))
}

func TestAdd_refusesAPageOfAnotherFormat(t *testing.T) {
	t.Parallel()
	page := openPage(t)
	plane := pyramid.Plane{Layout: pyramid.Layout{Format: page.Format, Tile: 16}, Page: page}
	plane.Width--
	require.ErrorContains(t, pyramid.Add(t.Context(), nil, plane), "changed")
}

func TestLevels(t *testing.T) {
	t.Parallel()
	layout := pyramid.Layout{Format: tiff.Format{Width: 1000, Height: 1, Samples: 3, Bits: 16}, Tile: 256}
	require.Equal(t, []tiff.Format{
		{Width: 1000, Height: 1, Samples: 3, Bits: 16},
		{Width: 500, Height: 1, Samples: 3, Bits: 16},
		{Width: 250, Height: 1, Samples: 3, Bits: 16},
	}, layout.Levels())
	// Whole tiles of 256 x 16 pixels: four, two and one.
	require.Equal(t, int64(7*256*16*3*2), layout.Bytes())
}
