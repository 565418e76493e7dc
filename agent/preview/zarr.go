package preview

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const (
	// maxDocument bounds one document of metadata, in bytes.
	maxDocument = 4 << 20
	// maxChannels bounds the channels that a picture blends.
	maxChannels = 4
	// maxChunks bounds the chunks that are read for one.
	maxChunks = 256
	// maxSide bounds the level that is read, in pixels.
	maxSide = 4096
)

// attributes are what OME-Zarr says of an image or a plate.
type attributes struct {
	Multiscales []struct {
		Axes     []axis `json:"axes"`
		Datasets []struct {
			Path string `json:"path"`
		} `json:"datasets"`
	} `json:"multiscales"`
	OMERO struct {
		Channels []struct {
			Color  string `json:"color"`
			Active *bool  `json:"active"`
		} `json:"channels"`
	} `json:"omero"`
	Layout int `json:"bioformats2raw.layout"` //nolint:tagliatelle // the format's own name
	Plate  struct {
		Wells []struct {
			Path string `json:"path"`
		} `json:"wells"`
	} `json:"plate"`
	Well struct {
		Images []struct {
			Path string `json:"path"`
		} `json:"images"`
	} `json:"well"`
}

// axis is an object with a name since version 0.4, and a name before.
type axis struct{ Name string }

// UnmarshalJSON implements json.Unmarshaler.
func (a *axis) UnmarshalJSON(data []byte) error {
	var named struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(data, &a.Name) == nil {
		return nil
	}
	err := json.Unmarshal(data, &named)
	a.Name = named.Name
	return err
}

// drawZarr draws the smallest level of an image, or of the first one of a plate or series.
func drawZarr(from *source) (image.Image, error) {
	dir, a, err := findImage(from)
	if err != nil {
		return nil, err
	}
	scale := a.Multiscales[0]
	if len(scale.Datasets) == 0 || len(scale.Datasets) > 100 {
		return nil, errNone
	}
	dir, err = within(dir, scale.Datasets[len(scale.Datasets)-1].Path)
	if err != nil {
		return nil, err
	}
	level, err := openArray(from, dir)
	if err != nil {
		return nil, err
	}
	return drawLevel(level, &a)
}

// within is the path of a part of a folder.
func within(dir, part string) (string, error) {
	if !fs.ValidPath(part) {
		return "", fmt.Errorf("the part %.100q: %w", part, errNone)
	}
	return path.Join(dir, part), nil
}

// findImage follows a plate to its first image.
func findImage(from *source) (dir string, a attributes, err error) {
	for range 3 { // a plate, a well, an image
		if a, err = readAttributes(from, dir); err != nil {
			return "", a, err
		}
		var part string
		switch {
		case len(a.Multiscales) > 0:
			return dir, a, nil
		case len(a.Plate.Wells) > 0:
			part = a.Plate.Wells[0].Path
		case len(a.Well.Images) > 0:
			part = a.Well.Images[0].Path
		case a.Layout == 3:
			part = "0"
		default:
			return "", a, errNone
		}
		if dir, err = within(dir, part); err != nil {
			return "", a, err
		}
	}
	return "", a, errNone
}

func readAttributes(from *source, dir string) (a attributes, err error) {
	data, err := from.read(path.Join(dir, ".zattrs"), maxDocument)
	if err == nil {
		return a, json.Unmarshal(data, &a)
	}
	var v3 struct {
		Attributes struct {
			OME attributes `json:"ome"`
		} `json:"attributes"`
	}
	if data, err = from.read(path.Join(dir, "zarr.json"), maxDocument); err == nil {
		err = json.Unmarshal(data, &v3)
	}
	return v3.Attributes.OME, err
}

// drawLevel blends the channels of the plane in the middle.
func drawLevel(level *array, a *attributes) (image.Image, error) {
	n := len(level.shape)
	if n < 2 || n > 5 {
		return nil, errNone
	}
	width, height := level.shape[n-1], level.shape[n-2]
	if width > maxSide || height > maxSide {
		return nil, errNone
	}
	names := strings.Split("tczyx"[5-n:], "")
	if axes := a.Multiscales[0].Axes; len(axes) == n {
		for i, axis := range axes {
			names[i] = axis.Name
		}
	}
	place := make([]int, n)
	channel := -1
	for i, name := range names[:n-2] {
		switch name {
		case "z":
			place[i] = level.shape[i] / 2
		case "c":
			channel = i
		}
	}
	shown, colours := []int{0}, []color.RGBA{{255, 255, 255, 255}}
	if channel >= 0 && level.shape[channel] > 1 {
		shown, colours = channels(a, level.shape[channel])
	}
	small := newPlanes(width, height, len(shown))
	for i, c := range shown {
		if channel >= 0 {
			place[channel] = c
		}
		if err := level.plane(place, func(x, y int, v float64) { small.add(i, x, y, v) }); err != nil {
			return nil, err
		}
	}
	return small.blend(colours), nil
}

// channels are those that are shown, and their colours.
func channels(a *attributes, n int) (shown []int, colours []color.RGBA) {
	usual := []color.RGBA{{0, 0, 255, 255}, {0, 255, 0, 255}, {255, 0, 0, 255}, {255, 0, 255, 255}}
	for c := 0; c < n && len(shown) < maxChannels; c++ {
		of := usual[len(shown)]
		if c < len(a.OMERO.Channels) {
			said := a.OMERO.Channels[c]
			if said.Active != nil && !*said.Active {
				continue
			}
			if rgb, err := strconv.ParseUint(said.Color, 16, 32); err == nil && len(said.Color) == 6 {
				of = color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255} //nolint:gosec // its bytes
			}
		}
		shown, colours = append(shown, c), append(colours, of)
	}
	if len(shown) == 0 {
		return []int{0}, []color.RGBA{{255, 255, 255, 255}}
	}
	return shown, colours
}
