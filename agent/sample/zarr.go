package sample

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// zarrLevels is how many resolutions an image has, each half as large.
const zarrLevels = 2

// zarrChunk is the edge of a chunk in pixels.
const zarrChunk = 256

// WriteOMEZarr writes the stack as an OME-Zarr 0.4 image (axes c, z, y, x;
// Zarr version 2, zlib chunks). The folder appears whole, or not at all; one
// that is there already is an error wrapping fs.ErrExist.
func WriteOMEZarr(dir string, s Stack) error {
	return publishFolder(dir, s, s.zarrImage)
}

// WriteOMEZarrPlate writes an OME-Zarr 0.4 plate of rows by columns wells with
// one field each, otherwise like WriteOMEZarr.
func WriteOMEZarrPlate(dir string, rows, columns int, s Stack) error {
	if rows < 1 || rows > 26 || columns < 1 || columns > 99 {
		return fmt.Errorf("sample %q: a plate has 1 to 26 rows and 1 to 99 columns", s.Name)
	}
	return publishFolder(dir, s, func(temporary string) error {
		var rowList, columnList, wells []map[string]any
		for c := range columns {
			columnList = append(columnList, map[string]any{"name": strconv.Itoa(c + 1)})
		}
		for r := range rows {
			row := string(rune('A' + r))
			rowList = append(rowList, map[string]any{"name": row})
			for c := range columns {
				path := row + "/" + strconv.Itoa(c+1)
				wells = append(wells, map[string]any{"path": path, "rowIndex": r, "columnIndex": c})
				well := filepath.Join(temporary, path)
				field := s
				field.Seed += uint64(r*columns + c) //nolint:gosec // small
				if err := field.zarrImage(filepath.Join(well, "0")); err != nil {
					return err
				}
				attributes := map[string]any{"well": map[string]any{"version": "0.4", "images": []any{map[string]any{"path": "0"}}}}
				if err := zarrGroup(well, attributes); err != nil {
					return err
				}
			}
			if err := zarrGroup(filepath.Join(temporary, row), nil); err != nil {
				return err
			}
		}
		return zarrGroup(temporary, map[string]any{"plate": map[string]any{
			"version": "0.4", "name": s.Name, "rows": rowList, "columns": columnList, "wells": wells, "field_count": 1,
		}})
	})
}

func publishFolder(dir string, s Stack, write func(temporary string) error) error {
	if err := s.check(); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing the sample %s: %w", dir, fs.ErrExist)
	}
	temporary := dir + ".partial"
	err := os.RemoveAll(temporary)
	if err == nil {
		err = write(temporary)
	}
	if err == nil {
		err = os.Rename(temporary, dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the sample %s: %w", dir, err), os.RemoveAll(temporary))
	}
	return nil
}

// zarrImage writes a multiscale image group.
func (s Stack) zarrImage(dir string) error {
	var datasets, channels []map[string]any
	for level := range zarrLevels {
		scale := float64(int(1) << level)
		datasets = append(datasets, map[string]any{
			"path":                      strconv.Itoa(level),
			"coordinateTransformations": []any{map[string]any{"type": "scale", "scale": []float64{1, 2, 0.65 * scale, 0.65 * scale}}},
		})
		if err := s.zarrLevel(filepath.Join(dir, strconv.Itoa(level)), level); err != nil {
			return err
		}
	}
	for c := range s.Channels {
		channels = append(channels, map[string]any{
			"label": "Channel " + strconv.Itoa(c), "color": []string{"00FF00", "FF00FF"}[c%2], "active": true,
			"window": map[string]any{"min": 0, "max": 65535, "start": cameraOffset, "end": peakCounts},
		})
	}
	axis := func(name, kind, unit string) map[string]any {
		a := map[string]any{"name": name, "type": kind}
		if unit != "" {
			a["unit"] = unit
		}
		return a
	}
	return zarrGroup(dir, map[string]any{
		"multiscales": []any{map[string]any{
			"version": "0.4", "name": s.Name, "datasets": datasets,
			"axes": []any{
				axis("c", "channel", ""), axis("z", "space", "micrometer"),
				axis("y", "space", "micrometer"), axis("x", "space", "micrometer"),
			},
		}},
		"omero": map[string]any{"version": "0.4", "name": s.Name, "channels": channels},
	})
}

// zarrLevel writes the array of one resolution.
func (s Stack) zarrLevel(dir string, level int) error {
	width, height := max(s.Width>>level, 1), max(s.Height>>level, 1)
	if err := writeJSON(filepath.Join(dir, ".zarray"), map[string]any{
		"zarr_format": 2, "shape": []int{s.Channels, s.Planes, height, width}, "chunks": []int{1, 1, zarrChunk, zarrChunk},
		"dtype": "<u2", "compressor": map[string]any{"id": "zlib", "level": 1}, "fill_value": 0, "order": "C",
		"filters": nil, "dimension_separator": "/",
	}); err != nil {
		return err
	}
	for c := range s.Channels {
		for z := range s.Planes {
			pixels := shrink(s.plane(z, c), s.Width, level, width, height)
			for y := 0; y*zarrChunk < height; y++ {
				for x := 0; x*zarrChunk < width; x++ {
					name := filepath.Join(dir, strconv.Itoa(c), strconv.Itoa(z), strconv.Itoa(y), strconv.Itoa(x))
					if err := writeChunk(name, pixels, width, height, x*zarrChunk, y*zarrChunk); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// shrink takes every 2^level-th pixel.
func shrink(pixels []uint16, stride, level, width, height int) []uint16 {
	if level == 0 {
		return pixels
	}
	small := make([]uint16, 0, width*height)
	for y := range height {
		for x := range width {
			small = append(small, pixels[(y<<level)*stride+(x<<level)])
		}
	}
	return small
}

// writeChunk writes a whole chunk; beyond the image it holds the fill value.
func writeChunk(name string, pixels []uint16, width, height, left, top int) error {
	chunk := make([]uint16, zarrChunk*zarrChunk)
	for y := top; y < min(top+zarrChunk, height); y++ {
		copy(chunk[(y-top)*zarrChunk:], pixels[y*width+left:y*width+min(left+zarrChunk, width)])
	}
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := w.Write(little(chunk)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return writeFile(name, out.Bytes())
}

func zarrGroup(dir string, attributes map[string]any) error {
	if err := writeJSON(filepath.Join(dir, ".zgroup"), map[string]any{"zarr_format": 2}); err != nil || attributes == nil {
		return err
	}
	return writeJSON(filepath.Join(dir, ".zattrs"), attributes)
}

func writeJSON(name string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(name, data)
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // for others to read
		return err
	}
	return os.WriteFile(name, data, 0o644) //nolint:gosec // for others to read
}
