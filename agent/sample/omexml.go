package sample

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	omeNamespace      = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
	omeSchemaLocation = omeNamespace + " " + omeNamespace + "/ome.xsd"
	xsiNamespace      = "http://www.w3.org/2001/XMLSchema-instance"
)

// The elements of the OME schema, version 2016-06, that an image needs, in the
// order in which it wants them. Sizes in space are in micrometres and
// wavelengths in nanometres, the schema's defaults.
type omeDocument struct {
	XMLName        xml.Name `xml:"OME"`
	Namespace      string   `xml:"xmlns,attr"`
	XSI            string   `xml:"xmlns:xsi,attr"`
	SchemaLocation string   `xml:"xsi:schemaLocation,attr"`
	Creator        string   `xml:"Creator,attr"`
	Image          omeImage `xml:"Image"`
}

type omeImage struct {
	ID     string    `xml:"ID,attr"`
	Name   string    `xml:"Name,attr"`
	Pixels omePixels `xml:"Pixels"`
}

type omePixels struct {
	ID              string       `xml:"ID,attr"`
	DimensionOrder  string       `xml:"DimensionOrder,attr"`
	Type            string       `xml:"Type,attr"`
	SignificantBits int          `xml:"SignificantBits,attr"`
	BigEndian       bool         `xml:"BigEndian,attr"`
	SizeX           int          `xml:"SizeX,attr"`
	SizeY           int          `xml:"SizeY,attr"`
	SizeZ           int          `xml:"SizeZ,attr"`
	SizeC           int          `xml:"SizeC,attr"`
	SizeT           int          `xml:"SizeT,attr"`
	PhysicalSizeX   float64      `xml:"PhysicalSizeX,attr"`
	PhysicalSizeY   float64      `xml:"PhysicalSizeY,attr"`
	PhysicalSizeZ   float64      `xml:"PhysicalSizeZ,attr"`
	Channels        []omeChannel `xml:"Channel"`
	TiffData        omeTiffData  `xml:"TiffData"`
}

type omeChannel struct {
	ID                 string `xml:"ID,attr"`
	Name               string `xml:"Name,attr"`
	SamplesPerPixel    int    `xml:"SamplesPerPixel,attr"`
	EmissionWavelength int    `xml:"EmissionWavelength,attr"`
	Color              int32  `xml:"Color,attr"`
}

type omeTiffData struct {
	IFD        int `xml:"IFD,attr"`
	PlaneCount int `xml:"PlaneCount,attr"`
}

// omeXML is the metadata that makes a TIFF an OME-TIFF. It is plain ASCII, as
// TIFF's description is: other characters are written as references.
func omeXML(s Stack) (string, error) {
	doc := omeDocument{
		Namespace: omeNamespace, XSI: xsiNamespace, SchemaLocation: omeSchemaLocation, Creator: software,
		Image: omeImage{ID: "Image:0", Name: s.Name, Pixels: omePixels{
			ID: "Pixels:0", DimensionOrder: "XYZCT", Type: "uint16", SignificantBits: 8 * bytesPerPixel,
			SizeX: s.Width, SizeY: s.Height, SizeZ: s.Planes, SizeC: s.Channels, SizeT: 1,
			PhysicalSizeX: voxelXY, PhysicalSizeY: voxelXY, PhysicalSizeZ: voxelZ,
			TiffData: omeTiffData{IFD: 0, PlaneCount: s.Planes * s.Channels},
		}},
	}
	for i := range s.Channels {
		c := channelAt(i)
		doc.Image.Pixels.Channels = append(doc.Image.Pixels.Channels, omeChannel{
			ID: fmt.Sprintf("Channel:0:%d", i), Name: c.name, SamplesPerPixel: 1, EmissionWavelength: c.emission,
			Color: int32(c.rgb<<8 | 0xFF), //nolint:gosec // the schema wants RGBA as a signed number
		})
	}
	text, err := xml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("writing the metadata of the sample image %q: %w", s.Name, err)
	}
	var out strings.Builder
	out.WriteString(xml.Header)
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "&#%d;", r)
		}
	}
	return out.String(), nil
}
