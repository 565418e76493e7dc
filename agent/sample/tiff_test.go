package sample

import (
	"encoding/binary"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is a TIFF page as the test's own reader sees it.
type page struct {
	tags   map[uint16][]uint32
	text   string
	pixels []uint16
}

// readPages follows the chain of directories and joins each page's strips.
func readPages(t *testing.T, path string) []page {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "II*\x00", string(data[:4]))
	le := binary.LittleEndian
	var pages []page
	end := 0
	for at := le.Uint32(data[4:]); at != 0; {
		require.Zero(t, at%2, "a directory begins at an even offset")
		p, previous := page{tags: map[uint16][]uint32{}}, uint16(0)
		count := uint32(le.Uint16(data[at:]))
		for i := range count {
			field := data[at+2+12*i:][:12]
			tag, kind, n := le.Uint16(field), le.Uint16(field[2:]), le.Uint32(field[4:])
			require.Greater(t, tag, previous, "tags ascend")
			previous = tag
			size := map[uint16]uint32{2: 1, 3: 2, 4: 4, 5: 8}[kind]
			require.NotZero(t, size, "type %d", kind)
			value := field[8:]
			if n*size > 4 {
				require.Zero(t, le.Uint32(value)%2)
				value = data[le.Uint32(value):][:n*size]
			}
			switch kind {
			case 2:
				require.Zero(t, value[n-1])
				if tag == 270 {
					p.text = string(value[:n-1])
				}
			case 3:
				p.tags[tag] = []uint32{uint32(le.Uint16(value))}
			default:
				for b := range n * size / 4 {
					p.tags[tag] = append(p.tags[tag], le.Uint32(value[4*b:]))
				}
			}
		}
		for i, offset := range p.tags[273] {
			strip := data[offset:][:p.tags[279][i]]
			for b := 0; b < len(strip); b += 2 {
				p.pixels = append(p.pixels, le.Uint16(strip[b:]))
			}
			end = int(offset) + len(strip)
		}
		pages = append(pages, p)
		at = le.Uint32(data[at+2+12*count:])
	}
	require.Len(t, data, end, "nothing follows the last strip")
	return pages
}

func TestTIFF(t *testing.T) {
	t.Parallel()
	for _, s := range []Stack{
		{Name: "cells.ome.tif", Width: 300, Height: 201, Planes: 3, Channels: 2, Seed: 7},
		{Name: "one pixel", Width: 1, Height: 1, Planes: 1, Channels: 1},
		{Name: "odd", Width: 7, Height: 3, Planes: 2, Channels: 3},
		{Name: "tall", Width: 1, Height: 8192, Planes: 1, Channels: 1},
		{Name: "wide", Width: 8192, Height: 9, Planes: 1, Channels: 1},
	} {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "a.ome.tif")
			require.NoError(t, WriteTIFF(path, s))
			requireEntries(t, dir, "a.ome.tif")

			pages := readPages(t, path)
			require.Len(t, pages, s.Planes*s.Channels)
			cam, want := newCamera(s), make([]uint16, s.Width*s.Height)
			for i, p := range pages {
				for tag, value := range map[uint16]uint32{
					256: uint32(s.Width), 257: uint32(s.Height), 258: 16, 259: 1, 262: 1, 277: 1, 284: 1, 296: 3, 339: 1,
				} {
					require.Equal(t, []uint32{value}, p.tags[tag], "tag %d", tag)
				}
				require.Len(t, p.tags[282], 2)
				require.InEpsilon(t, 1e4/voxelXY, float64(p.tags[282][0])/float64(p.tags[282][1]), 1e-9)
				cam.plane(i/s.Planes, i%s.Planes, want)
				require.Equal(t, want, p.pixels)
				require.Equal(t, i == 0, p.text != "", "only the first page is described")
			}
		})
	}
}

func TestTIFFDescription(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.ome.tif")
	name := `Zelle <1> & "µ" 細胞`
	require.NoError(t, WriteTIFF(path, Stack{Name: name, Width: 20, Height: 10, Planes: 3, Channels: 6}))
	text := readPages(t, path)[0].text
	require.NotRegexp(t, `[^\x20-\x7e\n]`, text, "a description is ASCII")

	var ome struct {
		XMLName xml.Name `xml:"http://www.openmicroscopy.org/Schemas/OME/2016-06 OME"`
		Image   struct {
			Name   string `xml:"Name,attr"`
			Pixels struct {
				Type     string `xml:"Type,attr"`
				Order    string `xml:"DimensionOrder,attr"`
				X        int    `xml:"SizeX,attr"`
				Y        int    `xml:"SizeY,attr"`
				Z        int    `xml:"SizeZ,attr"`
				C        int    `xml:"SizeC,attr"`
				T        int    `xml:"SizeT,attr"`
				Channels []struct {
					Name string `xml:"Name,attr"`
				} `xml:"Channel"`
				TiffData []struct {
					PlaneCount int `xml:"PlaneCount,attr"`
				} `xml:"TiffData"`
			} `xml:"Pixels"`
		} `xml:"Image"`
	}
	require.NoError(t, xml.Unmarshal([]byte(text), &ome))
	pixels := ome.Image.Pixels
	require.Equal(t, name, ome.Image.Name)
	require.Equal(t, []int{20, 10, 3, 6, 1}, []int{pixels.X, pixels.Y, pixels.Z, pixels.C, pixels.T})
	require.Equal(t, "uint16 XYZCT", pixels.Type+" "+pixels.Order)
	require.Len(t, pixels.Channels, 6)
	require.Equal(t, "DAPI 2", pixels.Channels[4].Name)
	require.Len(t, pixels.TiffData, 1)
	require.Equal(t, 18, pixels.TiffData[0].PlaneCount)
}

func TestTIFFIsReproducibleAndReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.tif"), filepath.Join(dir, strings.Repeat("b", 255))
	s := Stack{Name: "same", Width: 40, Height: 30, Planes: 2, Channels: 1, Seed: 3}
	require.NoError(t, os.WriteFile(a, []byte("old"), 0o600))
	require.NoError(t, WriteTIFF(a, s))
	require.NoError(t, WriteTIFF(b, s), "a name as long as names can be")
	first, err := os.ReadFile(a)
	require.NoError(t, err)
	second, err := os.ReadFile(b)
	require.NoError(t, err)
	require.Equal(t, first, second)

	s.Seed++
	require.NoError(t, WriteTIFF(b, s))
	third, err := os.ReadFile(b)
	require.NoError(t, err)
	require.NotEqual(t, first, third)
}

func TestTIFFFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Stack{Name: "a", Width: 4, Height: 4, Planes: 1, Channels: 1}
	require.ErrorIs(t, WriteTIFF(filepath.Join(dir, "no", "a.tif"), s), os.ErrNotExist)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.tif"), 0o700))
	require.ErrorIs(t, WriteTIFF(filepath.Join(dir, "folder.tif"), s), os.ErrExist)
	requireEntries(t, dir, "folder.tif")
}

func BenchmarkWriteTIFF(b *testing.B) {
	s := Stack{Name: "bench", Width: 1024, Height: 1024, Planes: 5, Channels: 2, Seed: 1}
	path := filepath.Join(b.TempDir(), "a.ome.tif")
	b.SetBytes(s.Bytes())
	for b.Loop() {
		require.NoError(b, WriteTIFF(path, s))
	}
}
