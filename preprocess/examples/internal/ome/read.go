package ome

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DimensionsOf says how the planes of a file are arranged whose text is that, each
// holding that many samples of a pixel. Where the text is neither OME-XML nor
// ImageJ's they are points in time, as Bio-Formats has it.
func DimensionsOf(text string, planes, samples int) (Dimensions, error) {
	var d Dimensions
	var err error
	switch {
	case strings.HasPrefix(text, "ImageJ="):
		d, err = readImageJ(text)
	// As Bio-Formats tells it.
	case strings.HasPrefix(text, "<") && strings.HasSuffix(strings.TrimSpace(text), "OME>"):
		d, err = readXML(text, samples)
	default:
		return Dimensions{Order: "XYCZT", Z: 1, C: 1, T: planes}, nil
	}
	if err != nil {
		return Dimensions{}, err
	}
	if got, ok := product(d.Z, d.C, d.T); !ok || got != planes {
		return Dimensions{}, fmt.Errorf("its description tells of %d x %d x %d planes (Z, C, T), and it has %d pages",
			d.Z, d.C, d.T, planes)
	}
	return d, nil
}

// product multiplies sizes, unless one is none or the product is beyond any file.
func product(sizes ...int) (int, bool) {
	all := 1
	for _, n := range sizes {
		if n < 1 || n > math.MaxInt32 || all > math.MaxInt32 {
			return 0, false
		}
		all *= n
	}
	return all, true
}

// readImageJ reads lines such as "slices=5".
func readImageJ(text string) (Dimensions, error) {
	sizes := map[string]int{"images": 1, "channels": 1, "slices": 1, "frames": 1}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if _, known := sizes[key]; !known {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return Dimensions{}, fmt.Errorf("its ImageJ description says %q", key+"="+value)
		}
		sizes[key] = n
	}
	d := Dimensions{Order: "XYCZT", Z: sizes["slices"], C: sizes["channels"], T: sizes["frames"]}
	// A plain stack names no axis.
	if d.Planes() == 1 {
		d.T = sizes["images"]
	}
	return d, nil
}

func readXML(text string, samples int) (Dimensions, error) {
	var root xmlOME
	if err := xml.Unmarshal([]byte(text), &root); err != nil {
		return Dimensions{}, fmt.Errorf("reading its OME-XML: %w", err)
	}
	if len(root.Images) != 1 {
		return Dimensions{}, fmt.Errorf("its OME-XML tells of %d images, and only files of one are supported", len(root.Images))
	}
	pixels := root.Images[0].Pixels
	d := Dimensions{
		Order: pixels.Order, Z: pixels.SizeZ, C: pixels.SizeC / samples, T: pixels.SizeT,
		Physical: [3]Length{
			length(pixels.PhysicalX, pixels.UnitX),
			length(pixels.PhysicalY, pixels.UnitY),
			length(pixels.PhysicalZ, pixels.UnitZ),
		},
	}
	switch d.Order {
	case "XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC":
	default:
		return Dimensions{}, fmt.Errorf("its OME-XML has the dimension order %q", d.Order)
	}
	for _, channel := range pixels.Channels {
		d.Channels = append(d.Channels, channel.Name)
	}
	for _, data := range pixels.TiffData {
		if data.IFD != d.plane(data.FirstZ, data.FirstC/samples, data.FirstT) {
			return Dimensions{}, errors.New("its OME-XML has the planes in another order than its dimension order, which is not supported")
		}
	}
	return d, nil
}

// length keeps what the schema allows: a size above zero.
func length(value, unit string) Length {
	if n, err := strconv.ParseFloat(value, 64); err != nil || !(n > 0) || math.IsInf(n, 0) {
		return Length{}
	}
	return Length{value, unit}
}

// plane is the place of a plane.
func (d Dimensions) plane(z, c, t int) int {
	place, step := 0, 1
	for _, axis := range strings.TrimPrefix(d.Order, "XY") {
		switch axis {
		case 'Z':
			place, step = place+z*step, step*d.Z
		case 'C':
			place, step = place+c*step, step*d.C
		case 'T':
			place, step = place+t*step, step*d.T
		}
	}
	return place
}
