package ome

import "encoding/xml"

// The parts of the schema that are written or read, in its order.
type (
	xmlOME struct {
		XMLName   xml.Name   `xml:"OME"`
		Namespace string     `xml:"xmlns,attr"`
		XSI       string     `xml:"xmlns:xsi,attr"`
		Schema    string     `xml:"xsi:schemaLocation,attr"`
		Creator   string     `xml:"Creator,attr"`
		Plate     *xmlPlate  `xml:"Plate"`
		Images    []xmlImage `xml:"Image"`
	}
	xmlPlate struct {
		ID           string    `xml:"ID,attr"`
		Name         string    `xml:"Name,attr"`
		ColumnNaming string    `xml:"ColumnNamingConvention,attr"`
		RowNaming    string    `xml:"RowNamingConvention,attr"`
		Rows         int       `xml:"Rows,attr"`
		Columns      int       `xml:"Columns,attr"`
		Wells        []xmlWell `xml:"Well"`
	}
	xmlWell struct {
		ID      string          `xml:"ID,attr"`
		Column  int             `xml:"Column,attr"`
		Row     int             `xml:"Row,attr"`
		Samples []xmlWellSample `xml:"WellSample"`
	}
	xmlWellSample struct {
		ID    string `xml:"ID,attr"`
		Index int    `xml:"Index,attr"`
		Image xmlRef `xml:"ImageRef"`
	}
	xmlRef struct {
		ID string `xml:"ID,attr"`
	}
	xmlImage struct {
		ID     string    `xml:"ID,attr"`
		Name   string    `xml:"Name,attr"`
		Pixels xmlPixels `xml:"Pixels"`
	}
	xmlPixels struct {
		ID          string        `xml:"ID,attr"`
		Order       string        `xml:"DimensionOrder,attr"`
		Type        string        `xml:"Type,attr"`
		SizeX       int           `xml:"SizeX,attr"`
		SizeY       int           `xml:"SizeY,attr"`
		SizeZ       int           `xml:"SizeZ,attr"`
		SizeC       int           `xml:"SizeC,attr"`
		SizeT       int           `xml:"SizeT,attr"`
		PhysicalX   string        `xml:"PhysicalSizeX,attr,omitempty"`
		UnitX       string        `xml:"PhysicalSizeXUnit,attr,omitempty"`
		PhysicalY   string        `xml:"PhysicalSizeY,attr,omitempty"`
		UnitY       string        `xml:"PhysicalSizeYUnit,attr,omitempty"`
		PhysicalZ   string        `xml:"PhysicalSizeZ,attr,omitempty"`
		UnitZ       string        `xml:"PhysicalSizeZUnit,attr,omitempty"`
		BigEndian   bool          `xml:"BigEndian,attr"`
		Interleaved bool          `xml:"Interleaved,attr"`
		Channels    []xmlChannel  `xml:"Channel"`
		TiffData    []xmlTiffData `xml:"TiffData"`
	}
	xmlChannel struct {
		ID      string `xml:"ID,attr"`
		Name    string `xml:"Name,attr,omitempty"`
		Samples int    `xml:"SamplesPerPixel,attr"`
	}
	xmlTiffData struct {
		IFD        int `xml:"IFD,attr"`
		FirstZ     int `xml:"FirstZ,attr"`
		FirstC     int `xml:"FirstC,attr"`
		FirstT     int `xml:"FirstT,attr"`
		PlaneCount int `xml:"PlaneCount,attr"`
	}
)
