package tiff

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Writer writes a little-endian file. Each page is added once its tiles are written.
type Writer struct {
	w        io.WriterAt
	at       int64 // the end of what is written
	big      bool
	link     int64 // where the offset of the next page's directory goes
	deflater *zlib.Writer
	buffer   bytes.Buffer
	raw      []byte
}

// NeedsBig reports whether a file of that many bytes of samples, before they are
// compressed, may be larger than a classic TIFF can be.
func NeedsBig(samples int64) bool {
	// What does not compress becomes larger by less than a thousandth; directories
	// take 8 bytes a tile, of 256 bytes at least.
	return samples+samples/16+16<<20 > math.MaxUint32
}

// NewWriter writes the header.
func NewWriter(w io.WriterAt, big bool) (*Writer, error) {
	// Microscopy images are mostly noise, which no effort makes smaller.
	deflater, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		return nil, err
	}
	t := &Writer{w: w, big: big, deflater: deflater, link: 4}
	head := []byte{'I', 'I', 42, 0, 0, 0, 0, 0}
	if big {
		head = []byte{'I', 'I', 43, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		t.link = 8
	}
	_, err = t.append(head)
	return t, err
}

// Image is a page or a smaller version of it, whose tiles are being written.
type Image struct {
	Format

	tileWidth, tileHeight int
	offsets, counts       []uint64
}

// NewImage starts one whose tiles have that size, a multiple of 16.
func NewImage(format Format, tileWidth, tileHeight int) *Image {
	return &Image{Format: format, tileWidth: tileWidth, tileHeight: tileHeight}
}

// WriteTile writes the next tile, from left to right and top to bottom. It spoils
// the samples.
func (t *Writer) WriteTile(image *Image, samples []uint16) error {
	// Differences compress better than values.
	row := image.tileWidth * image.Samples
	for y := 0; y < len(samples); y += row {
		for x := y + row - 1; x >= y+image.Samples; x-- {
			samples[x] -= samples[x-image.Samples]
		}
	}
	t.raw = t.raw[:0]
	for _, v := range samples {
		if image.Bits == 8 {
			t.raw = append(t.raw, byte(v)) //nolint:gosec // differences wrap
		} else {
			t.raw = binary.LittleEndian.AppendUint16(t.raw, v)
		}
	}
	t.buffer.Reset()
	t.deflater.Reset(&t.buffer)
	if _, err := t.deflater.Write(t.raw); err != nil {
		return fmt.Errorf("compressing a tile: %w", err)
	}
	if err := t.deflater.Close(); err != nil {
		return fmt.Errorf("compressing a tile: %w", err)
	}
	at, err := t.append(t.buffer.Bytes())
	image.offsets = append(image.offsets, uint64(at))           //nolint:gosec // not negative
	image.counts = append(image.counts, uint64(t.buffer.Len())) //nolint:gosec // not negative
	return err
}

// end is the next even place, as directories need it.
func (t *Writer) end() int64 { return t.at + t.at%2 }

// append writes at the end and returns where that was.
func (t *Writer) append(data []byte) (int64, error) {
	at := t.end()
	if !t.big && at+int64(len(data)) > math.MaxUint32 {
		return 0, errors.New("it becomes larger than 4 GB, which needs a BigTIFF")
	}
	if _, err := t.w.WriteAt(data, at); err != nil {
		return 0, fmt.Errorf("writing: %w", err)
	}
	t.at = at + int64(len(data))
	return at, nil
}
