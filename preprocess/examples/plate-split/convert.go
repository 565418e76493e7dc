package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"biomero-importer/preprocess/examples/internal/converter"
	"biomero-importer/preprocess/examples/internal/ome"
	"biomero-importer/preprocess/examples/internal/pyramid"
	"biomero-importer/preprocess/tiff"
)

const tile = 512

// survey is a plate that is known to be good as far as can be seen beforehand.
type survey struct {
	plate
	pyramid.Layout

	images []ome.Image // of a field each
	wells  []ome.Well
	planes int
}

func convert(ctx context.Context, job *converter.Job) ([]converter.Item, error) {
	files, err := findFiles(ctx, job)
	if err != nil {
		return nil, err
	}
	plates, err := sortPlates(files, converter.Stem(job.Input))
	if err != nil {
		return nil, err
	}
	if len(plates) == 0 {
		return nil, errors.New("it holds no TIFF file")
	}
	surveys := make([]*survey, len(plates))
	rows := int64(0)
	for i, p := range plates {
		if surveys[i], err = look(ctx, p); err != nil {
			return nil, err
		}
		rows += int64(surveys[i].planes) * int64(surveys[i].Height)
	}
	job.Expect(rows)
	var items []converter.Item
	for _, s := range surveys {
		item, err := s.write(ctx, job)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// look looks into all files of a plate, and arranges them.
func look(ctx context.Context, p plate) (*survey, error) {
	s := &survey{plate: p}
	s.Tile = tile
	for i, shot := range p.shots {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var format tiff.Format
		var pages int
		err := shot.open(func(f *tiff.File) (err error) {
			pages = f.Pages()
			format, err = f.Format()
			return err
		})
		if err != nil {
			return nil, err
		}
		if i == 0 {
			s.Format = format
		}
		if format != s.Format {
			return nil, fmt.Errorf("%s has another size or other samples than %s", shot.name, p.shots[0].name)
		}
		newField := i == 0 || !shot.samePlace(p.shots[i-1])
		if newField {
			s.addField(shot, pages)
		}
		image := &s.images[len(s.images)-1]
		if image.Z != pages {
			return nil, fmt.Errorf("%s has %d pages, and %s has %d", shot.name, pages, p.shots[i-1].name, image.Z)
		}
		image.C++
		name := ""
		if shot.wave > 0 {
			name = "w" + strconv.Itoa(shot.wave)
		}
		image.Channels = append(image.Channels, name)
		s.planes += pages
	}
	return s, nil
}

// addField starts the image of a field, which belongs to its well.
func (s *survey) addField(first shot, pages int) {
	if n := len(s.wells); n == 0 || s.wells[n-1].Row != first.row || s.wells[n-1].Column != first.column {
		s.wells = append(s.wells, ome.Well{Row: first.row, Column: first.column})
	}
	well := &s.wells[len(s.wells)-1]
	well.Images = append(well.Images, len(s.images))
	s.images = append(s.images, ome.Image{
		Name: fmt.Sprintf("%s field %d", first.well(), len(well.Images)), First: s.planes,
		Width: s.Width, Height: s.Height, Bits: s.Bits, Samples: s.Samples,
		Dimensions: ome.Dimensions{Order: "XYZCT", Z: pages, T: 1},
	})
}

// write makes the output of a plate.
func (s *survey) write(ctx context.Context, job *converter.Job) (converter.Item, error) {
	rows, columns := s.size()
	text, err := ome.Encode(job.Software(), &ome.Plate{
		Name: s.name, Rows: rows, Columns: columns, Wells: s.wells,
	}, s.images)
	if err != nil {
		return converter.Item{}, err
	}
	out, err := job.Create(s.name)
	if err != nil {
		return converter.Item{}, err
	}
	w, err := tiff.NewWriter(out, tiff.NeedsBig(s.Bytes()*int64(s.planes)))
	if err != nil {
		return converter.Item{}, err
	}
	plane := pyramid.Plane{Layout: s.Layout, Description: text, Software: job.Software(), Did: job.Did}
	waves := map[int][]pyramid.Range{}
	for _, shot := range s.shots {
		if waves[shot.wave] == nil {
			waves[shot.wave] = pyramid.NewRanges(s.Samples)
		}
		plane.Ranges = waves[shot.wave]
		err := shot.open(func(f *tiff.File) error {
			for n := range f.Pages() {
				var err error
				if plane.Page, err = f.Page(n); err != nil {
					return err
				}
				if err := pyramid.Add(ctx, w, plane); err != nil {
					return err
				}
				plane.Description = "" // only the first page has it
			}
			return nil
		})
		if err != nil {
			return converter.Item{}, err
		}
	}
	var channels []pyramid.Range
	for _, wave := range slices.Sorted(maps.Keys(waves)) {
		channels = append(channels, waves[wave]...)
	}
	facts := job.Facts(channels)
	facts["wells"], facts["images"], facts["planes"] = len(s.wells), len(s.images), s.planes
	facts["size_x"], facts["size_y"] = s.Width, s.Height
	facts["pixel_type"] = "uint" + strconv.Itoa(s.Bits)
	return out.Item(s.name, facts), nil
}

// open reads a shot's file.
func (s shot) open(read func(f *tiff.File) error) error {
	f, size, err := converter.Open(s.path)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	defer func() { _ = f.Close() }()
	opened, err := tiff.Open(f, size)
	if err == nil {
		err = read(opened)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}
