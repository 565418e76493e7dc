package bioformats

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Mark begins the first line of a file that says itself what it is.
const Mark = "omerotest:"

// directive is what such a line says.
type directive struct {
	images  int
	plates  int
	wells   int
	fields  int
	parts   []string
	outcome string // corrupt, unknown, unreadable or fails
}

// readDirective reads a file's beginning; ok is false without a Mark.
func readDirective(head string) (d directive, ok bool, err error) {
	rest, ok := strings.CutPrefix(head, Mark)
	if !ok {
		return directive{}, false, nil
	}
	line, _, _ := strings.Cut(rest, "\n")
	d = directive{images: 1, wells: 1, fields: 1}
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "images":
			d.images, err = strconv.Atoi(value)
		case "plates":
			d.plates, err = strconv.Atoi(value)
		case "wells":
			d.wells, err = strconv.Atoi(value)
		case "fields":
			d.fields, err = strconv.Atoi(value)
		case "parts":
			d.parts = strings.Split(value, ",")
		case "corrupt", "unknown", "unreadable", "fails":
			d.outcome = key
		default:
			err = fmt.Errorf("%s is no word of a test file", word)
		}
		if err != nil {
			return d, true, err
		}
	}
	return d, true, nil
}

func (d directive) candidate(path string) *Candidate {
	c := &Candidate{File: path, Used: []string{path}, Reader: "loci.formats.in.TiffReader", Fails: d.outcome == "fails"}
	for _, part := range d.parts {
		c.Used = append(c.Used, filepath.Join(filepath.Dir(path), part))
	}
	if d.plates == 0 {
		c.Images = d.images
		return c
	}
	c.Plates = make([]int, d.plates)
	for i := range c.Plates {
		c.Plates[i] = d.wells * d.fields
	}
	return c
}
