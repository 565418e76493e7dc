package tiff

import (
	"errors"
	"fmt"
)

// Page is one page that can be read.
type Page struct {
	Format

	file        *File
	compression uint64
	predictor   uint64
	planes      int // that hold one sample of each pixel; 1 where they hold all
	segments
}

// segments are the strips or tiles of a page. A strip is a tile as wide as the page.
type segments struct {
	width, height int
	across, down  int
	offsets       []uint64
	counts        []uint64 // of bytes
}

const (
	maxSide = 1 << 20
	// maxAcross bounds the segments that are decoded side by side.
	maxAcross = 2048
	// maxRatio is how much decoded data may come of a byte: 1032 with Deflate and
	// 2730 with LZW at the very best.
	maxRatio = 3000
)

func (f *File) newPage(dir directory) (*Page, error) {
	d := &fields{file: f, directory: dir}
	p := &Page{file: f}
	p.readFormat(d)
	p.readCoding(d)
	p.readSegments(d)
	if d.err != nil {
		return nil, d.err
	}
	return p, p.check()
}

func (p *Page) readFormat(d *fields) {
	p.Width = d.side(tagWidth)
	p.Height = d.side(tagLength)
	bits := d.one(tagBits, 1)
	d.refuse(bits != 8 && bits != 16, "its samples have %d bits, and only 8 or 16 are supported", bits)
	p.Bits = int(bits) //nolint:gosec // 8 or 16
	format := d.one(tagSampleFormat, 1)
	d.refuse(format != 1, "its samples are signed or floating-point numbers, and only unsigned ones are supported")

	samples := d.one(tagSamples, 1)
	switch photometric := d.one(tagPhotometric, photometricBlackIsZero); photometric {
	case photometricWhiteIsZero, photometricBlackIsZero:
		d.refuse(samples != 1, "it is grey with %d samples a pixel, and only 1 is supported", samples)
		p.WhiteIsZero = photometric == photometricWhiteIsZero
	case photometricRGB:
		d.refuse(samples != 3 && samples != 4, "it is RGB with %d samples a pixel, and only 3 or 4 are supported", samples)
	default:
		d.refuse(true, "its colours are of kind %d, and only grey and RGB are supported", photometric)
	}
	p.Samples = int(samples) //nolint:gosec // 1, 3 or 4
}

// side reads a length in pixels.
func (d *fields) side(tag uint16) int {
	n := d.one(tag, 0)
	d.refuse(n == 0 || n > maxSide, "its field %d says %d pixels, and only 1 to %d are supported", tag, n, maxSide)
	return int(min(n, maxSide))
}

func (p *Page) readCoding(d *fields) {
	p.compression = d.one(tagCompression, compressionNone)
	switch p.compression {
	case compressionLZW, compressionDeflate, compressionOldDeflate:
		p.predictor = d.one(tagPredictor, predictorNone)
		d.refuse(p.predictor > predictorHorizontal, "its predictor %d is not supported", p.predictor)
	case compressionNone, compressionPackBits:
	default:
		d.refuse(true, "its compression %d is not supported; none, LZW, Deflate and PackBits are", p.compression)
	}
	d.refuse(d.one(tagFillOrder, 1) != 1, "its bits are in reverse order, which is not supported")
	p.planes = 1
	if d.one(tagPlanar, 1) == 2 {
		p.planes = p.Samples
	}
}

func (p *Page) readSegments(d *fields) {
	offsets, counts := uint16(tagStripOffsets), uint16(tagStripByteCounts)
	p.width = p.Width
	p.height = int(min(max(d.one(tagRowsPerStrip, maxSide), 1), uint64(p.Height))) //nolint:gosec // at most maxSide
	if _, tiled := d.entries[tagTileWidth]; tiled {
		offsets, counts = tagTileOffsets, tagTileByteCounts
		p.width, p.height = d.side(tagTileWidth), d.side(tagTileLength)
	}
	p.offsets, p.counts = d.all(offsets), d.all(counts)
	if d.err == nil {
		p.across = (p.Width + p.width - 1) / p.width
		p.down = (p.Height + p.height - 1) / p.height
	}
}

// check refuses a page whose data cannot be there.
func (p *Page) check() error {
	if p.across*p.planes > maxAcross {
		return fmt.Errorf("it is %d tiles wide, and only %d are supported", p.across, maxAcross/p.planes)
	}
	if n := p.across * p.down * p.planes; len(p.offsets) < n || len(p.counts) < n {
		return fmt.Errorf("it consists of %d strips or tiles, and names only %d", n, min(len(p.offsets), len(p.counts)))
	}
	if p.fileBytes() > p.file.size {
		return errors.New("its data lies beyond the end of the file, or is used twice")
	}
	if decoded := int64(p.RowSamples()) * int64(p.Height) * int64(p.Bits/8); decoded/maxRatio > p.fileBytes() {
		return fmt.Errorf("it is cut short: %d bytes cannot hold %d x %d pixels", p.fileBytes(), p.Width, p.Height)
	}
	return nil
}

// fileBytes is how much of the file it takes at least, or more than all of it.
func (p *Page) fileBytes() int64 {
	// The places of more than two segments do not fit into the directory, where they
	// take four bytes each at least.
	all := 4 * int64(max(0, len(p.counts)-2))
	for _, n := range p.counts {
		if n > uint64(p.file.size) { //nolint:gosec // a size is not negative
			return p.file.size + 1
		}
		if all += int64(n); all > p.file.size { //nolint:gosec // no larger than the size
			return p.file.size + 1
		}
	}
	return all
}
