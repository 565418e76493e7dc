package main

import (
	"context"
	"fmt"

	"biomero-importer/preprocess/examples/internal/converter"
	"biomero-importer/preprocess/examples/internal/ome"
	"biomero-importer/preprocess/examples/internal/pyramid"
	"biomero-importer/preprocess/tiff"
)

const maxTile = 8192

// image is what is converted.
type image struct {
	name string
	file *tiff.File
	ome.Dimensions
	pyramid.Layout
}

func convert(ctx context.Context, job *converter.Job, tile int) ([]converter.Item, error) {
	if tile < 16 || tile > maxTile || tile%16 != 0 {
		return nil, fmt.Errorf("--tilesize %d is no multiple of 16 from 16 to %d", tile, maxTile)
	}
	f, size, err := converter.Open(job.Input)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	in := image{name: converter.Stem(job.Input)}
	if in.file, err = tiff.Open(f, size); err != nil {
		return nil, err
	}
	if in.Format, err = in.file.Format(); err != nil {
		return nil, err
	}
	in.Tile = tile
	text, err := in.file.Description()
	if err != nil {
		return nil, err
	}
	if in.Dimensions, err = ome.DimensionsOf(text, in.file.Pages(), in.Samples); err != nil {
		return nil, err
	}
	out, err := job.Create(in.name)
	if err != nil {
		return nil, err
	}
	ranges, err := in.write(ctx, job, out)
	if err != nil {
		return nil, err
	}
	facts := job.Facts(ranges)
	facts["size_x"], facts["size_y"] = in.Width, in.Height
	facts["size_z"], facts["size_c"], facts["size_t"] = in.Z, len(ranges), in.T
	facts["pixel_type"] = fmt.Sprintf("uint%d", in.Bits)
	facts["levels"] = len(in.Levels())
	return []converter.Item{out.Item(in.name, facts)}, nil
}

// write writes all pages and returns the range of each channel.
func (in image) write(ctx context.Context, job *converter.Job, out *converter.Output) ([]pyramid.Range, error) {
	text, err := ome.Encode(job.Software(), nil, []ome.Image{{
		Name: in.name, Width: in.Width, Height: in.Height, Bits: in.Bits, Samples: in.Samples, Dimensions: in.Dimensions,
	}})
	if err != nil {
		return nil, err
	}
	pages := in.file.Pages()
	w, err := tiff.NewWriter(out, tiff.NeedsBig(in.Bytes()*int64(pages)))
	if err != nil {
		return nil, err
	}
	job.Expect(int64(pages) * int64(in.Height))
	channels := pyramid.NewRanges(in.C * in.Samples)
	for n := range pages {
		page, err := in.file.Page(n)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n+1, err)
		}
		plane := pyramid.Plane{
			Layout: in.Layout, Page: page, Software: job.Software(), Did: job.Did,
			Ranges: channels[in.Channel(n)*in.Samples:][:in.Samples],
		}
		if n == 0 {
			plane.Description = text
		}
		if err := pyramid.Add(ctx, w, plane); err != nil {
			return nil, fmt.Errorf("page %d: %w", n+1, err)
		}
	}
	return channels, nil
}
