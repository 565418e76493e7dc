package sample

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// The largest plate is the 384-well one.
const (
	maxRows    = 16
	maxColumns = 24
)

// fieldName is the one field of view of a well.
const fieldName = "0"

// WriteOMEZarrPlate writes the OME-Zarr plate dir, which must not exist
// (fs.ErrExist). Each of its rows × columns wells, A/1 first, holds one field
// of the size s says, with cells of its own.
func WriteOMEZarrPlate(dir string, rows, columns int, s Stack) error {
	if err := s.validate(); err != nil {
		return err
	}
	if rows < 1 || rows > maxRows || columns < 1 || columns > maxColumns {
		return fmt.Errorf("the sample plate %q has %d × %d wells: choose 1 to %d rows and 1 to %d columns", s.Name, rows, columns, maxRows, maxColumns)
	}
	if total := s.Bytes() * int64(rows*columns); total > maxBytes {
		return fmt.Errorf("the sample plate %q would hold %d bytes of pixels: choose a size of at most %d", s.Name, total, maxBytes)
	}
	return publishDir(dir, func(temporary string) error { return writePlate(temporary, rows, columns, s) })
}

func writePlate(dir string, rows, columns int, s Stack) error {
	if err := writeGroup(dir, plateAttributes(s.Name, rows, columns)); err != nil {
		return err
	}
	for r := range rows {
		row := filepath.Join(dir, rowName(r))
		if err := makeGroup(row, nil); err != nil {
			return err
		}
		for c := range columns {
			well, field := filepath.Join(row, columnName(c)), s
			if err := makeGroup(well, wellAttributes()); err != nil {
				return err
			}
			field.Name = fmt.Sprintf("%s%s", rowName(r), columnName(c))
			field.Seed += uint64(r*columns + c) //nolint:gosec // not negative
			if err := makeField(filepath.Join(well, fieldName), field); err != nil {
				return err
			}
		}
	}
	return nil
}

func makeGroup(dir string, attributes object) error {
	if err := os.Mkdir(dir, dirMode); err != nil {
		return err
	}
	return writeGroup(dir, attributes)
}

func makeField(dir string, s Stack) error {
	if err := os.Mkdir(dir, dirMode); err != nil {
		return err
	}
	return writeImage(dir, s)
}

func rowName(i int) string { return "ABCDEFGHIJKLMNOP"[i : i+1] }

func columnName(i int) string { return strconv.Itoa(i + 1) }
