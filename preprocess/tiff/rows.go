package tiff

import (
	"errors"
	"fmt"
	"io"
)

// Rows reads a page from its top to its bottom.
type Rows struct {
	page    *Page
	y       int
	columns []*decoder // of the segments side by side, for each plane
	raw     []byte     // one row of one segment
	samples []uint16
}

// Rows starts at the top.
func (p *Page) Rows() *Rows {
	r := &Rows{page: p, columns: make([]*decoder, p.across*p.planes)}
	for i := range r.columns {
		r.columns[i] = &decoder{}
	}
	r.samples = make([]uint16, p.width*p.Samples/p.planes)
	r.raw = make([]byte, len(r.samples)*p.Bits/8)
	return r
}

// Next reads a row: the samples of its first pixel, those of the next, and so on.
// After the last one it says io.EOF.
func (r *Rows) Next(row []uint16) error {
	p := r.page
	if r.y == p.Height {
		return io.EOF
	}
	for i := range r.columns {
		segment := i/p.across*p.across*p.down + r.y/p.height*p.across + i%p.across
		err := r.read(r.columns[i], segment)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("strip or tile %d is cut short", segment)
		}
		if err != nil {
			return fmt.Errorf("strip or tile %d: %w", segment, err)
		}
		r.unpack()
		r.place(row, i)
	}
	r.y++
	return nil
}

// read decodes a row of a segment.
func (r *Rows) read(column *decoder, segment int) error {
	p := r.page
	if r.y%p.height == 0 {
		at, n := p.offsets[segment], p.counts[segment]
		// The sum of two numbers may be a small one.
		if size := uint64(p.file.size); n > size || at > size-n { //nolint:gosec // a size is not negative
			return fmt.Errorf("its %d bytes at byte %d are not in the file", n, at)
		}
		section := io.NewSectionReader(p.file.r, int64(at), int64(n)) //nolint:gosec // no larger than the size
		if err := column.start(section, p.compression); err != nil {
			return err
		}
	}
	_, err := io.ReadFull(column, r.raw)
	return err
}

// unpack makes samples of the bytes of a row of a segment.
func (r *Rows) unpack() {
	p := r.page
	if p.Bits == 8 {
		for i, b := range r.raw {
			r.samples[i] = uint16(b)
		}
	} else {
		for i := range r.samples {
			r.samples[i] = p.file.order.Uint16(r.raw[2*i:])
		}
	}
	if p.predictor == predictorHorizontal {
		step, mask := p.Samples/p.planes, uint16(1<<p.Bits-1)
		for i := step; i < len(r.samples); i++ {
			r.samples[i] = (r.samples[i] + r.samples[i-step]) & mask
		}
	}
}

// place puts the samples of a segment of a column where they belong in the row.
func (r *Rows) place(row []uint16, column int) {
	p := r.page
	x := column % p.across * p.width
	if p.planes == 1 {
		copy(row[x*p.Samples:], r.samples)
		return
	}
	for i, v := range r.samples[:min(p.width, p.Width-x)] {
		row[(x+i)*p.Samples+column/p.across] = v
	}
}
