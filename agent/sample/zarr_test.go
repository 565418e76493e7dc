package sample

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// decode reads a JSON document as the test's own view of it.
func decode[T any](t *testing.T, parts ...string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	var value T
	require.NoError(t, json.Unmarshal(data, &value))
	return value
}

type zarray struct {
	Format     int    `json:"zarr_format"`
	Shape      [4]int `json:"shape"`
	Chunks     [4]int `json:"chunks"`
	DType      string `json:"dtype"`
	Order      string `json:"order"`
	Compressor any    `json:"compressor"`
	Separator  string `json:"dimension_separator"`
}

// readPlane puts the chunks of one plane together.
func readPlane(t *testing.T, dir string, a zarray, c, z int) []uint16 {
	t.Helper()
	height, width := a.Shape[2], a.Shape[3]
	out := make([]uint16, width*height)
	for y := range height {
		for left := 0; left < width; left += a.Chunks[3] {
			name := fmt.Sprintf("%d/%d/%d/%d", c, z, y/a.Chunks[2], left/a.Chunks[3])
			chunk, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Len(t, chunk, 2*a.Chunks[2]*a.Chunks[3])
			for x := left; x < min(left+a.Chunks[3], width); x++ {
				out[y*width+x] = binary.LittleEndian.Uint16(chunk[2*(y%a.Chunks[2]*a.Chunks[3]+x-left):])
			}
		}
	}
	return out
}

type imageMetadata struct {
	Multiscales []struct {
		Version, Name string
		Axes          []struct{ Name, Type, Unit string }
		Datasets      []struct {
			Path            string
			Transformations []struct {
				Type  string
				Scale []float64
			} `json:"coordinateTransformations"` //nolint:tagliatelle // the format's own name
		}
	}
	Omero struct {
		Channels []struct {
			Label, Color string
			Window       struct{ Min, Max, Start, End *float64 }
		}
	}
}

// requireImage checks the OME-Zarr image at dir against s, pixel by pixel at
// full resolution.
func requireImage(t *testing.T, dir string, s Stack, levels int) {
	t.Helper()
	require.Equal(t, map[string]int{"zarr_format": 2}, decode[map[string]int](t, dir, ".zgroup"))
	meta := decode[imageMetadata](t, dir, ".zattrs")
	require.Len(t, meta.Multiscales, 1)
	image := meta.Multiscales[0]
	require.Equal(t, "0.4 "+s.Name, image.Version+" "+image.Name)
	require.Len(t, image.Axes, 4)
	for i, name := range []string{"c", "z", "y", "x"} {
		require.Equal(t, name, image.Axes[i].Name)
	}
	require.Len(t, meta.Omero.Channels, s.Channels)
	for _, c := range meta.Omero.Channels {
		require.Regexp(t, "^[0-9A-F]{6}$", c.Color)
		require.NotNil(t, c.Window.Start)
		require.NotNil(t, c.Window.Max)
	}

	require.Len(t, image.Datasets, levels)
	width, height := s.Width, s.Height
	cam, want := newCamera(s), make([]uint16, s.Width*s.Height)
	var fullMean float64
	for i, level := range image.Datasets {
		require.Len(t, level.Transformations, 1)
		factor := float64(int(1) << i)
		require.InDeltaSlice(t, []float64{1, voxelZ, voxelXY * factor, voxelXY * factor}, level.Transformations[0].Scale, 1e-9)
		at := filepath.Join(dir, level.Path)
		a := decode[zarray](t, at, ".zarray")
		require.Equal(t, [4]int{s.Channels, s.Planes, height, width}, a.Shape)
		require.Equal(t, zarray{2, a.Shape, a.Chunks, "<u2", "C", nil, "/"}, a)
		for c := range s.Channels {
			for z := range s.Planes {
				got := readPlane(t, at, a, c, z)
				mean, _ := statistics(got)
				if i == 0 {
					cam.plane(c, z, want)
					require.Equal(t, want, got)
				}
				if c+z == 0 && i == 0 {
					fullMean = mean
				}
				if c+z == 0 {
					require.InEpsilon(t, fullMean, mean, 0.05, "a coarser level is as bright")
				}
			}
		}
		width, height = (width+1)/2, (height+1)/2
	}
}

func TestOMEZarr(t *testing.T) {
	t.Parallel()
	for levels, s := range map[int]Stack{
		2: {Name: "odd", Width: 33, Height: 21, Planes: 2, Channels: 3, Seed: 1},
		4: {Name: "several chunks", Width: 1100, Height: 513, Planes: 1, Channels: 1, Seed: 2},
	} {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, WriteOMEZarr(filepath.Join(dir, "a.ome.zarr")+"/", s))
			requireEntries(t, dir, "a.ome.zarr")
			requireImage(t, filepath.Join(dir, "a.ome.zarr"), s, levels)
		})
	}
}

func TestOMEZarrOfOnePixel(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a.zarr")
	s := Stack{Name: "one pixel", Width: 1, Height: 1, Planes: 1, Channels: 1}
	require.NoError(t, WriteOMEZarr(dir, s))
	requireImage(t, dir, s, 2)
}

func TestOMEZarrMetadataIsASCII(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a.zarr")
	s := Stack{Name: `Zelle <µ> "細胞" 🔬`, Width: 4, Height: 4, Planes: 1, Channels: 1}
	require.NoError(t, WriteOMEZarr(dir, s))
	requireImage(t, dir, s, 2)
	data, err := os.ReadFile(filepath.Join(dir, ".zattrs"))
	require.NoError(t, err)
	require.NotRegexp(t, `[^\x20-\x7e\n]`, string(data))
}

func TestHalve(t *testing.T) {
	t.Parallel()
	require.Equal(t, []uint16{3, 4, 9, 10}, halve([]uint16{
		1, 2, 3,
		4, 5, 5,
		8, 9, 10,
	}, 3, 3))
	require.Equal(t, []uint16{65535}, halve([]uint16{65535, 65535}, 2, 1))
}

func TestOMEZarrPlate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plate := filepath.Join(dir, "p.ome.zarr")
	s := Stack{Name: "Plate 1", Width: 40, Height: 30, Planes: 1, Channels: 2, Seed: 9}
	require.NoError(t, WriteOMEZarrPlate(plate, 2, 3, s))
	requireEntries(t, dir, "p.ome.zarr")

	type named struct{ Name string }
	meta := decode[struct {
		Plate struct {
			Version, Name string
			Rows, Columns []named
			Wells         []struct {
				Path   string
				Row    int `json:"rowIndex"`    //nolint:tagliatelle // the format's own name
				Column int `json:"columnIndex"` //nolint:tagliatelle // the format's own name
			}
		}
	}](t, plate, ".zattrs").Plate
	require.Equal(t, "0.4 Plate 1", meta.Version+" "+meta.Name)
	require.Equal(t, []named{{"A"}, {"B"}}, meta.Rows)
	require.Equal(t, []named{{"1"}, {"2"}, {"3"}}, meta.Columns)
	require.Len(t, meta.Wells, 6)
	for i, well := range meta.Wells {
		require.Equal(t, meta.Rows[well.Row].Name+"/"+meta.Columns[well.Column].Name, well.Path)
		fields := decode[struct {
			Well struct{ Images []struct{ Path string } }
		}](t, plate, well.Path, ".zattrs").Well.Images
		require.Len(t, fields, 1)
		require.FileExists(t, filepath.Join(plate, well.Path, "..", ".zgroup"))
		field := s
		field.Name = meta.Rows[well.Row].Name + strconv.Itoa(well.Column+1)
		field.Seed += uint64(i)
		requireImage(t, filepath.Join(plate, well.Path, fields[0].Path), field, 2)
	}
}

func TestPlateIsChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Stack{Name: "p", Width: 4096, Height: 4096, Planes: 1, Channels: 1}
	for _, size := range [][2]int{{0, 1}, {1, 0}, {17, 1}, {1, 25}, {-1, -1}} {
		require.ErrorContains(t, WriteOMEZarrPlate(filepath.Join(dir, "p.zarr"), size[0], size[1], s), "choose 1 to 16 rows and 1 to 24 columns")
	}
	require.ErrorContains(t, WriteOMEZarrPlate(filepath.Join(dir, "p.zarr"), 16, 24, s), "would hold")
	requireEntries(t, dir)
}

func TestFoldersAreNotReplaced(t *testing.T) {
	t.Parallel()
	s := Stack{Name: "a", Width: 4, Height: 4, Planes: 1, Channels: 1}
	dir := t.TempDir()
	target := filepath.Join(dir, "a.zarr")
	for name, occupy := range map[string]func() error{
		"empty folder": func() error { return os.Mkdir(target, 0o700) },
		"file":         func() error { return os.WriteFile(target, nil, 0o600) },
		"lost symlink": func() error { return os.Symlink("nowhere", target) },
	} {
		require.NoError(t, occupy(), name)
		require.ErrorIs(t, WriteOMEZarr(target, s), fs.ErrExist, name)
		require.ErrorIs(t, WriteOMEZarrPlate(target, 1, 1, s), fs.ErrExist, name)
		requireEntries(t, dir, "a.zarr")
		require.NoError(t, os.Remove(target))
	}

	// Somebody else may be first while the pixels are written.
	err := publishDir(target, func(string) error { return os.Mkdir(target, 0o700) })
	require.ErrorIs(t, err, fs.ErrExist)
	requireEntries(t, dir, "a.zarr")
}

func TestOMEZarrFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := publishDir(filepath.Join(dir, "a.zarr"), func(temporary string) error {
		require.Equal(t, ".partial", filepath.Ext(temporary))
		require.Equal(t, dir, filepath.Dir(temporary))
		require.NoError(t, writeGroup(temporary, nil))
		return fs.ErrPermission
	})
	require.ErrorIs(t, err, fs.ErrPermission)
	requireEntries(t, dir)
}

func BenchmarkWriteOMEZarr(b *testing.B) {
	s := Stack{Name: "bench", Width: 1024, Height: 1024, Planes: 5, Channels: 2, Seed: 1}
	dir := b.TempDir()
	b.SetBytes(s.Bytes())
	for i := 0; b.Loop(); i++ {
		require.NoError(b, WriteOMEZarr(filepath.Join(dir, strconv.Itoa(i)), s))
	}
}
