package sample

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ngffVersion is the version of the OME-Zarr specification written here; its
// storage is Zarr version 2.
const ngffVersion = "0.4"

// chunkSide bounds a chunk's width and height, in pixels.
const chunkSide = 512

// minLevels and coarsest decide the pyramid: halved at least once, and on until
// a level fits a thumbnail's view.
const (
	minLevels = 2
	coarsest  = 256
)

type object = map[string]any

// WriteOMEZarr writes s as the OME-Zarr image dir, which must not exist
// (fs.ErrExist): axes c, z, y, x, uncompressed chunks, a pyramid in x and y.
func WriteOMEZarr(dir string, s Stack) error {
	if err := s.validate(); err != nil {
		return err
	}
	return publishDir(dir, func(temporary string) error { return writeImage(temporary, s) })
}

// level is one resolution of an image.
type level struct {
	dir                     string
	width, height           int
	chunkWidth, chunkHeight int
}

func levelsOf(dir string, s Stack) []level {
	var levels []level
	for w, h := s.Width, s.Height; ; w, h = (w+1)/2, (h+1)/2 {
		levels = append(levels, level{
			dir: filepath.Join(dir, strconv.Itoa(len(levels))), width: w, height: h,
			chunkWidth: min(w, chunkSide), chunkHeight: min(h, chunkSide),
		})
		if len(levels) >= minLevels && max(w, h) <= coarsest {
			return levels
		}
	}
}

// writeImage fills dir, which exists, with the image.
func writeImage(dir string, s Stack) error {
	levels := levelsOf(dir, s)
	if err := writeGroup(dir, imageAttributes(s, len(levels))); err != nil {
		return err
	}
	for _, l := range levels {
		if err := os.Mkdir(l.dir, dirMode); err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(l.dir, ".zarray"), object{
			"zarr_format": 2, "dtype": "<u2", "order": "C", "fill_value": 0, "filters": nil, "compressor": nil,
			"dimension_separator": "/",
			"shape":               []int{s.Channels, s.Planes, l.height, l.width},
			"chunks":              []int{1, 1, l.chunkHeight, l.chunkWidth},
		}); err != nil {
			return err
		}
	}
	cam := newCamera(s)
	full := make([]uint16, s.Width*s.Height)
	for ch := range s.Channels {
		for z := range s.Planes {
			cam.plane(ch, z, full)
			pixels := full
			for i, l := range levels {
				if i > 0 {
					pixels = halve(pixels, levels[i-1].width, levels[i-1].height)
				}
				if err := l.writePlane(ch, z, pixels); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writePlane writes the chunks of one plane. Chunks at the right and lower
// edge are full-sized too, as Zarr has it; what lies outside is zero.
func (l level) writePlane(ch, z int, pixels []uint16) error {
	plane := filepath.Join(l.dir, strconv.Itoa(ch), strconv.Itoa(z))
	for top := 0; top < l.height; top += l.chunkHeight {
		row := filepath.Join(plane, strconv.Itoa(top/l.chunkHeight))
		if err := os.MkdirAll(row, dirMode); err != nil {
			return err
		}
		for left := 0; left < l.width; left += l.chunkWidth {
			chunk := make([]byte, l.chunkWidth*l.chunkHeight*bytesPerPixel)
			width := min(l.chunkWidth, l.width-left)
			for y := range min(l.chunkHeight, l.height-top) {
				putPixels(chunk[y*l.chunkWidth*bytesPerPixel:], pixels[(top+y)*l.width+left:][:width])
			}
			if err := writeBytes(filepath.Join(row, strconv.Itoa(left/l.chunkWidth)), chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// halve returns the plane at half its size, rounded up: each pixel is the mean
// of the up to four it covers.
func halve(pixels []uint16, width, height int) []uint16 {
	w, h := (width+1)/2, (height+1)/2
	out := make([]uint16, w*h)
	for y := range h {
		above := pixels[2*y*width:][:width]
		below := pixels[min(2*y+1, height-1)*width:][:width]
		for x := range w {
			left, right := 2*x, min(2*x+1, width-1)
			sum := uint32(above[left]) + uint32(above[right]) + uint32(below[left]) + uint32(below[right])
			out[y*w+x] = uint16((sum + 2) / 4) //nolint:gosec // a mean of 16-bit numbers
		}
	}
	return out
}

// writeGroup makes the existing folder dir a Zarr group; attributes may be nil.
func writeGroup(dir string, attributes object) error {
	if err := writeJSON(filepath.Join(dir, ".zgroup"), object{"zarr_format": 2}); err != nil || attributes == nil {
		return err
	}
	return writeJSON(filepath.Join(dir, ".zattrs"), attributes)
}

// writeJSON writes a metadata document in ASCII, for readers of Zarr version 2
// (zarr-python among them) refuse any other byte.
func writeJSON(path string, value object) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	ascii := make([]byte, 0, len(data)+1)
	for _, r := range string(data) {
		if r < utf8.RuneSelf {
			ascii = append(ascii, byte(r)) //nolint:gosec // ASCII, as just checked
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			ascii = fmt.Appendf(ascii, `\u%04x`, unit)
		}
	}
	return writeBytes(path, append(ascii, '\n'))
}

func writeBytes(path string, data []byte) error {
	return writeFile(path, func(out *bufio.Writer) error {
		_, err := out.Write(data)
		return err
	})
}
