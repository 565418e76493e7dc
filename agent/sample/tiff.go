package sample

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// Tags and field types of TIFF 6.0, sections 2 and 8.
const (
	tagWidth, tagHeight, tagBits, tagCompression      = 256, 257, 258, 259
	tagPhotometric, tagDescription, tagStripOffsets   = 262, 270, 273
	tagSamples, tagRowsPerStrip, tagStripBytes        = 277, 278, 279
	tagXResolution, tagYResolution, tagResolutionUnit = 282, 283, 296

	typeASCII, typeShort, typeLong, typeRational = 2, 3, 4, 5
)

type entry struct {
	tag, kind    uint16
	count, value uint32
}

// WriteTIFF writes the stack as an OME-TIFF: uncompressed 16-bit pages, one
// per plane and channel, and OME-XML in the first one's description. The file
// appears whole under its name, or not at all.
func WriteTIFF(path string, s Stack) error {
	if err := s.check(); err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString("II*\x00\x08\x00\x00\x00")
	pages := s.Planes * s.Channels
	for i := range pages {
		s.page(&out, i, i == pages-1)
	}
	return publish(path, out.Bytes())
}

// page appends one directory, what it points to, and its pixels.
func (s Stack) page(out *bytes.Buffer, i int, last bool) {
	description := ""
	if i == 0 {
		description = s.omeXML() + "\x00"
	}
	entries := []entry{
		{tagWidth, typeLong, 1, uint32(s.Width)},   //nolint:gosec // checked
		{tagHeight, typeLong, 1, uint32(s.Height)}, //nolint:gosec // checked
		{tagBits, typeShort, 1, 16},
		{tagCompression, typeShort, 1, 1},
		{tagPhotometric, typeShort, 1, 1},
		{tagDescription, typeASCII, uint32(len(description)), 0}, //nolint:gosec // kilobytes
		{tagStripOffsets, typeLong, 1, 0},
		{tagSamples, typeShort, 1, 1},
		{tagRowsPerStrip, typeLong, 1, uint32(s.Height)},             //nolint:gosec // checked
		{tagStripBytes, typeLong, 1, uint32(2 * s.Width * s.Height)}, //nolint:gosec // checked
		{tagXResolution, typeRational, 1, 0},
		{tagYResolution, typeRational, 1, 0},
		{tagResolutionUnit, typeShort, 1, 3},
	}
	if description == "" {
		entries = append(entries[:5], entries[6:]...)
	}
	start := uint32(out.Len())                          //nolint:gosec // below 2 GiB
	extra := start + 2 + 12*uint32(len(entries)) + 4    //nolint:gosec // a dozen entries
	resolution := extra + uint32(len(description)+1)&^1 //nolint:gosec // kilobytes
	pixels := resolution + 8
	end := pixels + uint32(2*s.Width*s.Height) //nolint:gosec // checked
	le := binary.LittleEndian
	data := le.AppendUint16(nil, uint16(len(entries))) //nolint:gosec // a dozen entries
	for _, e := range entries {
		switch e.tag {
		case tagDescription:
			e.value = extra
		case tagStripOffsets:
			e.value = pixels
		case tagXResolution, tagYResolution:
			e.value = resolution
		}
		data = le.AppendUint16(data, e.tag)
		data = le.AppendUint16(data, e.kind)
		data = le.AppendUint32(data, e.count)
		data = le.AppendUint32(data, e.value)
	}
	if last {
		end = 0
	}
	data = le.AppendUint32(data, end)
	data = append(data, description...)
	if len(description)%2 == 1 {
		data = append(data, 0)
	}
	// 15,384 pixels per centimetre are 0.65 µm a pixel.
	data = le.AppendUint32(data, 15384)
	data = le.AppendUint32(data, 1)
	out.Write(data)
	out.Write(little(s.plane(i/s.Channels, i%s.Channels)))
}

func (s Stack) omeXML() string {
	var name bytes.Buffer
	_ = xml.EscapeText(&name, []byte(s.Name)) // a buffer takes all
	var channels strings.Builder
	for c := range s.Channels {
		fmt.Fprintf(&channels, `<Channel ID="Channel:0:%d" SamplesPerPixel="1"/>`, c)
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+
		`<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="%s">`+
		`<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" BigEndian="false" SizeX="%d" SizeY="%d" SizeC="%d" SizeZ="%d" SizeT="1" `+
		`PhysicalSizeX="0.65" PhysicalSizeY="0.65">%s<TiffData/></Pixels></Image></OME>`,
		name.String(), s.Width, s.Height, s.Channels, s.Planes, channels.String())
}

// publish writes a file beside its place and renames it there.
func publish(path string, data []byte) error {
	temporary := path + ".partial"
	if err := os.WriteFile(temporary, data, 0o644); err != nil { //nolint:gosec // for others to read
		return fmt.Errorf("writing a sample: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("writing a sample: %w", err)
	}
	return nil
}
