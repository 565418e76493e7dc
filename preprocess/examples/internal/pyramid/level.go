package pyramid

import "biomero-importer/preprocess/tiff"

// level gathers the rows of one version of a plane until they fill a row of tiles.
type level struct {
	tiff.Format

	w      *tiff.Writer
	image  *tiff.Image
	next   *level // half the size, nil for the smallest
	height int    // of a tile
	across int    // samples of a row of a tile
	stride int    // samples of a row of tiles, of which the last may jut out
	rows   []uint16
	tile   []uint16
	n      int // rows that are gathered
	half   []uint16
}

func (l *level) add(row []uint16) error {
	copy(l.rows[l.n*l.stride:], row)
	// Tiles have an even height: two rows that become one are always both here.
	if l.n++; l.n%2 == 0 {
		if err := l.halve(l.n-2, l.n-1); err != nil {
			return err
		}
	}
	if l.n == l.height {
		return l.flush()
	}
	return nil
}

// finish writes what is left.
func (l *level) finish() error {
	if l.n%2 == 1 {
		if err := l.halve(l.n-1, l.n-1); err != nil {
			return err
		}
	}
	if l.n > 0 {
		clear(l.rows[l.n*l.stride:])
		if err := l.flush(); err != nil {
			return err
		}
	}
	if l.next == nil {
		return nil
	}
	return l.next.finish()
}

// flush writes the row of tiles.
func (l *level) flush() error {
	for x := 0; x < l.stride; x += l.across {
		for y := range l.height {
			copy(l.tile[y*l.across:(y+1)*l.across], l.rows[y*l.stride+x:])
		}
		if err := l.w.WriteTile(l.image, l.tile); err != nil {
			return err
		}
	}
	l.n = 0
	return nil
}

// halve makes a row of the next level of two rows: each value is the mean of four.
func (l *level) halve(upper, lower int) error {
	if l.next == nil {
		return nil
	}
	a, b := l.rows[upper*l.stride:], l.rows[lower*l.stride:]
	l.half = l.half[:0]
	for x := range l.next.Width {
		left := 2 * x * l.Samples
		right := min(2*x+1, l.Width-1) * l.Samples
		for s := range l.Samples {
			sum := uint32(a[left+s]) + uint32(a[right+s]) + uint32(b[left+s]) + uint32(b[right+s])
			l.half = append(l.half, uint16((sum+2)/4)) //nolint:gosec // a mean is no larger than the values
		}
	}
	return l.next.add(l.half)
}
