package sample

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStackIsChecked(t *testing.T) {
	t.Parallel()
	good := Stack{Name: "a", Width: 4, Height: 4, Planes: 1, Channels: 1}
	require.NoError(t, good.validate())
	for _, tc := range []struct {
		name, want string
		change     func(*Stack)
	}{
		{"no name", "has no name", func(s *Stack) { s.Name = "" }},
		{"long name", "256 bytes", func(s *Stack) { s.Name = strings.Repeat("n", 256) }},
		{"not UTF-8", "not UTF-8", func(s *Stack) { s.Name = "a\xff" }},
		{"control character", "control character", func(s *Stack) { s.Name = "a\nb" }},
		{"zero width", "width of the sample image \"a\" is 0: choose 1 to 8192", func(s *Stack) { s.Width = 0 }},
		{"negative height", "height of the sample image \"a\" is -1", func(s *Stack) { s.Height = -1 }},
		{"no planes", "number of planes", func(s *Stack) { s.Planes = 0 }},
		{"many channels", "number of channels", func(s *Stack) { s.Channels = 17 }},
		{"too big together", "would hold", func(s *Stack) { s.Width, s.Height, s.Planes = 8192, 8192, 17 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bad, dir := good, t.TempDir()
			tc.change(&bad)
			target := filepath.Join(dir, "x")
			require.ErrorContains(t, WriteTIFF(target, bad), tc.want)
			require.ErrorContains(t, WriteOMEZarr(target, bad), tc.want)
			require.ErrorContains(t, WriteOMEZarrPlate(target, 1, 1, bad), tc.want)
			requireEntries(t, dir)
		})
	}
}

func TestLargestStacksFitTIFF(t *testing.T) {
	t.Parallel()
	for _, s := range []Stack{
		{Name: "large planes", Width: maxSide, Height: maxSide, Planes: 16, Channels: 1},
		{Name: "many planes", Width: 256, Height: 256, Planes: maxPlanes, Channels: maxChannels},
		{Name: "many strips", Width: 1, Height: maxSide, Planes: maxPlanes, Channels: maxChannels},
	} {
		require.NoError(t, s.validate(), s.Name)
		size := s.Bytes()
		for page := range s.Planes * s.Channels {
			size += int64(len(pageDirectory(s, int(size), "", page == 0)))
		}
		require.Less(t, size, int64(math.MaxUint32), s.Name)
	}
}

// requireEntries checks that dir holds these names and nothing temporary.
func requireEntries(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, want, names)
}
