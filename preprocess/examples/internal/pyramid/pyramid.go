package pyramid

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"biomero-importer/preprocess/tiff"
)

// Layout is how planes are stored.
type Layout struct {
	tiff.Format

	Tile int // the side of tiles, a multiple of 16; smaller planes have smaller ones
}

// Range is what the values of a channel lie between.
type Range struct{ Min, Max uint16 }

// NewRanges makes ranges of n channels that hold no value yet.
func NewRanges(n int) []Range {
	ranges := make([]Range, n)
	for i := range ranges {
		ranges[i].Min = math.MaxUint16
	}
	return ranges
}

// maxHeld bounds the samples that are held, of two bytes each.
const maxHeld = 256 << 20

// Levels are the formats of a plane and its smaller versions. The last one fits
// into a tile.
func (l Layout) Levels() []tiff.Format {
	levels := []tiff.Format{l.Format}
	for f := l.Format; max(f.Width, f.Height) > l.Tile; levels = append(levels, f) {
		f.Width, f.Height = (f.Width+1)/2, (f.Height+1)/2
	}
	return levels
}

// Bytes is how many a plane and its smaller versions take, before they are
// compressed.
func (l Layout) Bytes() int64 {
	width, height := l.tile()
	all := int64(0)
	for _, f := range l.Levels() {
		all += int64(roundUp(f.Width, width)) * int64(roundUp(f.Height, height)) * int64(f.Samples*f.Bits/8)
	}
	return all
}

// tile is the size of tiles.
func (l Layout) tile() (width, height int) {
	return min(l.Tile, roundUp(l.Width, 16)), min(l.Tile, roundUp(l.Height, 16))
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// Plane is one plane that is to be written.
type Plane struct {
	Layout

	Page                  *tiff.Page
	Ranges                []Range // of its samples, which are widened
	Description, Software string
	Did                   func(rows int) // is told of what is done
}

// Add writes a plane as the next page.
func Add(ctx context.Context, w *tiff.Writer, p Plane) error {
	if p.Page.Format != p.Format {
		return errors.New("it has changed since it was looked at")
	}
	top, err := newLevels(w, p.Layout)
	if err != nil {
		return err
	}
	rows := p.Page.Rows()
	row := make([]uint16, p.RowSamples())
	for range p.Height {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Next(row); err != nil {
			return err
		}
		measure(p.Ranges, row)
		if err := top.add(row); err != nil {
			return err
		}
		p.Did(1)
	}
	if err := top.finish(); err != nil {
		return err
	}
	var smaller []*tiff.Image
	for l := top.next; l != nil; l = l.next {
		smaller = append(smaller, l.image)
	}
	return w.AddPage(top.image, smaller, p.Description, p.Software)
}

func measure(ranges []Range, row []uint16) {
	n := len(ranges)
	for i := range ranges {
		r := ranges[i]
		for x := i; x < len(row); x += n {
			r.Min, r.Max = min(r.Min, row[x]), max(r.Max, row[x])
		}
		ranges[i] = r
	}
}

// newLevels returns the first one.
func newLevels(w *tiff.Writer, l Layout) (*level, error) {
	width, height := l.tile()
	formats := l.Levels()
	held := 0
	for _, f := range formats {
		held += roundUp(f.Width, width) * f.Samples * height
	}
	if held > maxHeld {
		return nil, fmt.Errorf("it is too wide for tiles of %d x %d pixels: choose smaller ones", width, height)
	}
	var below *level
	for _, f := range slices.Backward(formats) {
		below = &level{
			Format: f,
			w:      w,
			image:  tiff.NewImage(f, width, height),
			next:   below,
			height: height,
			across: width * f.Samples,
			stride: roundUp(f.Width, width) * f.Samples,
		}
		below.rows = make([]uint16, below.stride*height)
		below.tile = make([]uint16, below.across*height)
	}
	return below, nil
}
