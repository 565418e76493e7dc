package ome

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// Image is one image, whose planes follow each other in a file.
type Image struct {
	Name          string
	Width, Height int
	Bits          int // of a sample: 8 or 16, unsigned
	Samples       int // of a pixel, which are channels that one plane holds
	Dimensions

	First int // plane in the file
}

// Dimensions are how the planes of an image are arranged.
type Dimensions struct {
	Order    string // of the planes, such as XYCZT: channels change first
	Z, C, T  int    // C is channels of planes of their own
	Channels []string
	Physical [3]Length // of a pixel, along X, Y and Z
}

// Length is as OME-XML has it.
type Length struct{ Value, Unit string }

// Planes is how many there are.
func (d Dimensions) Planes() int { return d.Z * d.C * d.T }

// Channel is the channel, from 0, of a plane, from 0.
func (d Dimensions) Channel(plane int) int {
	for _, axis := range strings.TrimPrefix(d.Order, "XY") {
		switch axis {
		case 'C':
			return plane % d.C
		case 'Z':
			plane /= d.Z
		case 'T':
			plane /= d.T
		}
	}
	return 0
}

// Plate is what images of wells belong to.
type Plate struct {
	Name          string
	Rows, Columns int
	Wells         []Well
}

// Well is one that has images.
type Well struct {
	Row, Column int   // from 0
	Images      []int // its fields, as places among the images
}

// Encode writes OME-XML for a file. Plate may be nil.
func Encode(creator string, plate *Plate, images []Image) (string, error) {
	root := xmlOME{
		Namespace: "http://www.openmicroscopy.org/Schemas/OME/2016-06",
		XSI:       "http://www.w3.org/2001/XMLSchema-instance",
		Creator:   creator,
	}
	root.Schema = root.Namespace + " " + root.Namespace + "/ome.xsd"
	if plate != nil {
		root.Plate = encodePlate(plate)
	}
	for i, image := range images {
		root.Images = append(root.Images, encodeImage(i, image))
	}
	text, err := xml.Marshal(root)
	if err != nil {
		return "", fmt.Errorf("writing OME-XML: %w", err)
	}
	// Readers that know no UTF-8 in TIFF's texts find it declared.
	return xml.Header + string(text), nil
}

func encodePlate(plate *Plate) *xmlPlate {
	p := &xmlPlate{
		ID: "Plate:0", Name: plate.Name, Rows: plate.Rows, Columns: plate.Columns,
		RowNaming: "letter", ColumnNaming: "number",
	}
	samples := 0
	for i, well := range plate.Wells {
		w := xmlWell{ID: fmt.Sprintf("Well:0:%d", i), Row: well.Row, Column: well.Column}
		for j, image := range well.Images {
			w.Samples = append(w.Samples, xmlWellSample{
				ID: fmt.Sprintf("WellSample:0:%d:%d", i, j), Index: samples, Image: xmlRef{imageID(image)},
			})
			samples++
		}
		p.Wells = append(p.Wells, w)
	}
	return p
}

func imageID(i int) string { return "Image:" + strconv.Itoa(i) }

func encodeImage(i int, image Image) xmlImage {
	pixels := xmlPixels{
		ID: "Pixels:" + strconv.Itoa(i), Order: image.Order, Type: "uint" + strconv.Itoa(image.Bits),
		SizeX: image.Width, SizeY: image.Height, SizeZ: image.Z, SizeC: image.C * image.Samples, SizeT: image.T,
		PhysicalX: image.Physical[0].Value, UnitX: image.Physical[0].Unit,
		PhysicalY: image.Physical[1].Value, UnitY: image.Physical[1].Unit,
		PhysicalZ: image.Physical[2].Value, UnitZ: image.Physical[2].Unit,
		Interleaved: image.Samples > 1,
		TiffData:    []xmlTiffData{{IFD: image.First, PlaneCount: image.Planes()}},
	}
	for c := range image.C {
		channel := xmlChannel{ID: fmt.Sprintf("Channel:%d:%d", i, c), Samples: image.Samples}
		if c < len(image.Channels) {
			channel.Name = image.Channels[c]
		}
		pixels.Channels = append(pixels.Channels, channel)
	}
	return xmlImage{ID: imageID(i), Name: image.Name, Pixels: pixels}
}
