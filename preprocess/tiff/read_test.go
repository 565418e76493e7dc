package tiff_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/tiff"
)

func open(data []byte) (*tiff.File, error) {
	return tiff.Open(bytes.NewReader(data), int64(len(data)))
}

// pixels reads a page.
func pixels(page *tiff.Page) ([]uint16, error) {
	rows := page.Rows()
	var all []uint16
	for {
		row := make([]uint16, page.RowSamples())
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, row...)
	}
}

func TestRows_readsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.tif")
	require.NoError(t, err)
	require.Len(t, names, 11)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			want, pages, factor := tiff.Format{Width: 21, Height: 33, Samples: 1, Bits: 8}, 1, 1
			if strings.Contains(name, "rgb") {
				want.Samples = 3
			}
			if strings.HasSuffix(name, "16.tif") {
				want.Bits, factor = 16, 97
			}
			if strings.Contains(name, "pages") {
				pages = 3
			}
			f, err := open(data)
			require.NoError(t, err)
			format, err := f.Format()
			require.NoError(t, err)
			require.Equal(t, want, format)
			require.Equal(t, pages, f.Pages())
			for n := range pages {
				page, err := f.Page(n)
				require.NoError(t, err)
				got, err := pixels(page)
				require.NoError(t, err)
				require.Len(t, got, want.Width*want.Height*want.Samples)
				for i, v := range got {
					s, x, y := i%want.Samples, i/want.Samples%want.Width, i/want.Samples/want.Width
					expected := (7*x + 13*y + 50*s + 101*n) * factor % (1 << want.Bits)
					require.Equal(t, expected, int(v), "page %d, sample %d of %d, %d", n, s, x, y)
				}
			}
		})
	}
}

// A file that ends anywhere is an error, and never a crash.
func TestRows_refusesWhatIsCutShort(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.tif")
	require.NoError(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		whole, err := readAll(data)
		require.NoError(t, err)
		for n := range len(data) {
			got, err := readAll(data[:n])
			// What is missing may be the byte that fills the file up to an even length.
			if err == nil {
				require.Equal(t, whole, got, "%s: the first %d of %d bytes", name, n, len(data))
			}
		}
	}
}

// readAll reads all pages.
func readAll(data []byte) ([]uint16, error) {
	f, err := open(data)
	if err != nil {
		return nil, err
	}
	var all []uint16
	for n := range f.Pages() {
		page, err := f.Page(n)
		if err != nil {
			return nil, err
		}
		got, err := pixels(page)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}
