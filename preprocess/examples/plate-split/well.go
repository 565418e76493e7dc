package main

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shot is one file as its name has it: what a camera saw of a field of a well.
type shot struct {
	file

	row, column int // from 0
	field       int
	wave        int // of light, a channel; 0 where the name has none
}

// plate is what becomes one output.
type plate struct {
	name  string
	shots []shot // in the order of wells, fields and channels
}

// wellName matches A01, plate_B02_s3, A01_s1_w2 and, as ImageXpress has it, a name in
// front and an identifier behind the w.
var wellName = regexp.MustCompile(`(?i)^(?:.*?[-_ ])??([A-Z]|A[A-F])(\d{1,2})(?:_s(\d{1,4}))?(?:_w(\d)[^_]*)?\.tiff?$`)

// maxColumn is that of plates of 1536 wells, as AF is their last row.
const maxColumn = 48

// parse reads a file's name.
func parse(f file) (shot, error) {
	parts := wellName.FindStringSubmatch(path.Base(f.name))
	if parts == nil {
		return shot{}, fmt.Errorf("%s is not named by a well, as A01_s1_w1.tif is", f.name)
	}
	s := shot{file: f, column: number(parts[2]) - 1, field: number(parts[3]), wave: number(parts[4])}
	if s.column < 0 || s.column >= maxColumn {
		return shot{}, fmt.Errorf("%s is not named by a well: there is no column %s", f.name, parts[2])
	}
	for _, letter := range strings.ToUpper(parts[1]) {
		s.row = s.row*26 + int(letter-'A') + 1
	}
	s.row--
	return s, nil
}

// number reads what the expression has found, or nothing.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// well is its name.
func (s shot) well() string {
	letters := string(rune('A' + s.row%26))
	if s.row >= 26 {
		letters = "A" + letters
	}
	return fmt.Sprintf("%s%02d", letters, s.column+1)
}

// samePlace reports whether two are of one field.
func (s shot) samePlace(other shot) bool {
	return s.row == other.row && s.column == other.column && s.field == other.field
}

// sortPlates finds the plates: each folder is one. The files at the top are of the
// plate with the name of the input.
func sortPlates(files []file, input string) ([]plate, error) {
	byFolder := map[string][]shot{}
	for _, f := range files {
		s, err := parse(f)
		if err != nil {
			return nil, err
		}
		folder := path.Dir(f.name)
		byFolder[folder] = append(byFolder[folder], s)
	}
	var plates []plate
	for folder, shots := range byFolder {
		p := plate{name: strings.ReplaceAll(folder, "/", "_"), shots: shots}
		if folder == "." {
			p.name = input
		}
		slices.SortFunc(shots, func(a, b shot) int {
			return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.column, b.column),
				cmp.Compare(a.field, b.field), cmp.Compare(a.wave, b.wave))
		})
		for i, s := range shots[1:] {
			if before := shots[i]; s.samePlace(before) && s.wave == before.wave {
				return nil, fmt.Errorf("%s and %s are both of %s", before.name, s.name, s.well())
			}
		}
		plates = append(plates, p)
	}
	slices.SortFunc(plates, func(a, b plate) int { return cmp.Compare(a.name, b.name) })
	return plates, nil
}

// size is that of the smallest usual plate with all its wells.
func (p plate) size() (rows, columns int) {
	for _, s := range p.shots {
		rows, columns = max(rows, s.row+1), max(columns, s.column+1)
	}
	for _, usual := range [][2]int{{2, 3}, {4, 6}, {8, 12}, {16, 24}} {
		if rows <= usual[0] && columns <= usual[1] {
			return usual[0], usual[1]
		}
	}
	return 32, maxColumn
}
