package sample

import (
	"bufio"
	"encoding/binary"
)

// Field types and tags of TIFF 6.0.
const (
	typeASCII    = 2
	typeShort    = 3
	typeLong     = 4
	typeRational = 5

	tagNewSubfileType  = 254
	tagImageWidth      = 256
	tagImageLength     = 257
	tagBitsPerSample   = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagDescription     = 270
	tagStripOffsets    = 273
	tagSamplesPerPixel = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagXResolution     = 282
	tagYResolution     = 283
	tagPlanarConfig    = 284
	tagResolutionUnit  = 296
	tagSoftware        = 305
	tagSampleFormat    = 339

	noCompression     = 1
	blackIsZero       = 1
	contiguous        = 1
	perCentimetre     = 3
	unsignedInteger   = 1
	headerSize        = 8
	entrySize         = 12
	stripBytes        = 64 << 10
	software          = "biomero-importer"
	littleEndianMagic = "II*\x00"
)

// WriteTIFF writes s to path as an uncompressed little-endian OME-TIFF, one
// page for each plane of each channel, and replaces what is there.
func WriteTIFF(path string, s Stack) error {
	if err := s.validate(); err != nil {
		return err
	}
	description, err := omeXML(s)
	if err != nil {
		return err
	}
	return publishFile(path, func(out *bufio.Writer) error { return writePages(out, s, description) })
}

// writePages streams the file: every page is its directory, then its pixels,
// and all offsets follow from the sizes, so nothing is written twice.
func writePages(out *bufio.Writer, s Stack, description string) error {
	header := binary.LittleEndian.AppendUint32([]byte(littleEndianMagic), headerSize)
	if _, err := out.Write(header); err != nil {
		return err
	}
	cam := newCamera(s)
	pixels := make([]uint16, s.Width*s.Height)
	encoded := make([]byte, len(pixels)*bytesPerPixel)
	at, pages := headerSize, s.Planes*s.Channels
	for page := range pages {
		if page > 0 {
			description = ""
		}
		directory := pageDirectory(s, at, description, page == pages-1)
		if _, err := out.Write(directory); err != nil {
			return err
		}
		// Planes vary fastest: dimension order XYZCT.
		cam.plane(page/s.Planes, page%s.Planes, pixels)
		putPixels(encoded, pixels)
		if _, err := out.Write(encoded); err != nil {
			return err
		}
		at += len(directory) + len(encoded)
	}
	return nil
}

// pageDirectory encodes the directory that begins at byte at of the file; the
// page's pixels follow it, and then the next page unless this is the last.
func pageDirectory(s Stack, at int, description string, last bool) []byte {
	rowBytes := s.Width * bytesPerPixel
	rows := min(s.Height, max(1, stripBytes/rowBytes))
	strips := (s.Height + rows - 1) / rows
	offsets, counts := make([]uint32, strips), make([]uint32, strips)
	entries := func() []entry {
		list := []entry{
			long(tagNewSubfileType, 0),
			long(tagImageWidth, uint32(s.Width)),   //nolint:gosec // validated
			long(tagImageLength, uint32(s.Height)), //nolint:gosec // validated
			short(tagBitsPerSample, 8*bytesPerPixel),
			short(tagCompression, noCompression),
			short(tagPhotometric, blackIsZero),
		}
		if description != "" {
			list = append(list, ascii(tagDescription, description))
		}
		return append(list,
			long(tagStripOffsets, offsets...),
			short(tagSamplesPerPixel, 1),
			long(tagRowsPerStrip, uint32(rows)), //nolint:gosec // at most the height
			long(tagStripByteCounts, counts...),
			rational(tagXResolution, pixelsPerCMNumer, pixelsPerCMDenom),
			rational(tagYResolution, pixelsPerCMNumer, pixelsPerCMDenom),
			short(tagPlanarConfig, contiguous),
			short(tagResolutionUnit, perCentimetre),
			ascii(tagSoftware, software),
			short(tagSampleFormat, unsignedInteger),
		)
	}
	// The directory's size depends on how many strips there are, not on where.
	first := at + directorySize(entries())
	for i := range strips {
		offsets[i] = uint32(first + i*rows*rowBytes)              //nolint:gosec // maxBytes keeps it in 32 bits
		counts[i] = uint32(min(rows, s.Height-i*rows) * rowBytes) //nolint:gosec // less than the plane
	}
	next := 0
	if !last {
		next = first + s.Height*rowBytes
	}
	return encodeDirectory(entries(), at, next)
}
