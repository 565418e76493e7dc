package tiff_test

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"biomero-importer/preprocess/tiff"
)

// What is written is what is read, whatever the samples are.
func TestWriter_writesWhatIsReadBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		format := tiff.Format{
			Width: rapid.IntRange(1, 40).Draw(t, "width"), Height: rapid.IntRange(1, 40).Draw(t, "height"),
			Samples: rapid.SampledFrom([]int{1, 3, 4}).Draw(t, "samples"), Bits: rapid.SampledFrom([]int{8, 16}).Draw(t, "bits"),
		}
		format.WhiteIsZero = format.Samples == 1 && rapid.Bool().Draw(t, "white is zero")
		seed := rapid.Uint16().Draw(t, "seed")
		value := func(page, x, y, s int) uint16 {
			return (seed + uint16(page*7919+x*31+y*101+s*17)*257) & (1<<format.Bits - 1)
		}
		out, err := os.CreateTemp(dir, "")
		require.NoError(t, err)
		defer out.Close()
		w, err := tiff.NewWriter(out, rapid.Bool().Draw(t, "big"))
		require.NoError(t, err)
		for n := range 2 {
			image := tiff.NewImage(format, 16, 32)
			for top := 0; top < format.Height; top += 32 {
				for left := 0; left < format.Width; left += 16 {
					var samples []uint16
					for i := range 16 * 32 * format.Samples {
						samples = append(samples, value(n, left+i/format.Samples%16, top+i/format.Samples/16, i%format.Samples))
					}
					require.NoError(t, w.WriteTile(image, samples))
				}
			}
			require.NoError(t, w.AddPage(image, nil, "Grüße", "a test"))
		}
		_, err = out.Seek(0, io.SeekStart)
		require.NoError(t, err)
		data, err := io.ReadAll(out)
		require.NoError(t, err)
		f, err := open(data)
		require.NoError(t, err)
		require.Equal(t, 2, f.Pages())
		text, err := f.Description()
		require.NoError(t, err)
		require.Equal(t, "Grüße", text)
		got, err := f.Format()
		require.NoError(t, err)
		require.Equal(t, format, got)
		for n := range 2 {
			page, err := f.Page(n)
			require.NoError(t, err)
			samples, err := pixels(page)
			require.NoError(t, err)
			for i, v := range samples {
				pixel := i / format.Samples
				require.Equal(t, value(n, pixel%format.Width, pixel/format.Width, i%format.Samples), v)
			}
		}
	})
}

func TestNeedsBig(t *testing.T) {
	t.Parallel()
	require.False(t, tiff.NeedsBig(3<<30))
	require.True(t, tiff.NeedsBig(4<<30-1))
}
