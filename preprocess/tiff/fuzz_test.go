package tiff_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is in a file, reading it ends, without a crash.
func FuzzOpen(f *testing.F) {
	names, err := filepath.Glob("testdata/*.tif")
	require.NoError(f, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(craft(0, good()))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := open(data)
		if err != nil {
			return
		}
		_, _ = file.Description()
		for n := range min(file.Pages(), 3) {
			page, err := file.Page(n)
			require.NoError(t, err)
			if page.Width > 1<<14 {
				continue
			}
			rows := page.Rows()
			row := make([]uint16, page.RowSamples())
			for range 64 {
				if rows.Next(row) != nil {
					break
				}
			}
		}
	})
}
