package preview

import (
	"errors"
	"fmt"
	"image"
	"io"

	"biomero-importer/preprocess/tiff"
)

const (
	// maxPixels bounds a page that is read for a picture.
	maxPixels = 400_000_000
	// maxColumns bounds the strips or tiles that are unpacked side by side.
	maxColumns = 256
)

// drawTIFF draws the page in the middle, by the smallest version of it that will do.
func drawTIFF(from *source) (image.Image, error) {
	f, size, err := from.open("")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	file, err := tiff.Open(&bounded{from, f}, size)
	if err != nil {
		return nil, err
	}
	page, err := file.Small(file.Pages()/2, side)
	if err != nil {
		return nil, err
	}
	if int64(page.Width)*int64(page.Height) > maxPixels || page.Columns() > maxColumns {
		return nil, fmt.Errorf("%d x %d pixels: %w", page.Width, page.Height, errNone)
	}
	small, err := reduce(from, page)
	if err != nil {
		return nil, err
	}
	if page.Samples == 1 {
		return small.grey(page.WhiteIsZero), nil
	}
	return small.rgb(page.Samples, page.Bits), nil
}

// reduce reads a page row by row.
func reduce(from *source, page *tiff.Page) (*planes, error) {
	small := newPlanes(page.Width, page.Height, page.Samples)
	row := make([]uint16, page.RowSamples())
	rows := page.Rows()
	for y := 0; ; y++ {
		if err := from.ctx.Err(); err != nil {
			return nil, err
		}
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return small, nil
		} else if err != nil {
			return nil, err
		}
		for x := range page.Width {
			for c := range page.Samples {
				small.add(c, x, y, float64(row[x*page.Samples+c]))
			}
		}
	}
}
