package bioformats

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// zarrRoot is the part of a path up to the first component that ends in ".zarr",
// or "" (contract, "OME-Zarr").
func zarrRoot(path string) string {
	components := strings.Split(path, "/")
	for i, c := range components {
		if strings.HasSuffix(c, ".zarr") {
			return strings.Join(components[:i+1], "/")
		}
	}
	return ""
}

// Zarr is what the metadata of a Zarr says.
type Zarr struct {
	Plate  bool
	Series bool   // a folder of images, as bioformats2raw writes
	Images int    // of the image or series, or of all wells
	Name   string // of the image, if it has one
}

type attributes struct {
	Multiscales []struct {
		Name string `json:"name"`
	} `json:"multiscales"`
	Layout int `json:"bioformats2raw.layout"` //nolint:tagliatelle // the format's own name
	Plate  *struct {
		Wells []struct {
			Path string `json:"path"`
		} `json:"wells"`
	} `json:"plate"`
	Well *struct {
		Images []struct {
			Path string `json:"path"`
		} `json:"images"`
	} `json:"well"`
	Name string `json:"name"`
}

func readAttributes(dir string) (attributes, error) {
	if text, err := os.ReadFile(filepath.Join(dir, ".zattrs")); err == nil { //nolint:gosec // what the test asked for
		var a attributes
		return a, json.Unmarshal(text, &a)
	}
	text, err := os.ReadFile(filepath.Join(dir, "zarr.json")) //nolint:gosec // what the test asked for
	if err != nil {
		return attributes{}, err
	}
	var three struct {
		Attributes struct {
			OME attributes `json:"ome"`
		} `json:"attributes"`
	}
	err = json.Unmarshal(text, &three)
	return three.Attributes.OME, err
}

// ReadZarr reads the metadata of a Zarr.
func ReadZarr(dir string) (Zarr, error) {
	a, err := readAttributes(dir)
	if err != nil {
		return Zarr{}, err
	}
	switch {
	case a.Plate != nil:
		z := Zarr{Plate: true}
		for _, well := range a.Plate.Wells {
			w, err := readAttributes(filepath.Join(dir, well.Path))
			if err != nil || w.Well == nil {
				return Zarr{}, errors.Join(errors.New("no well at "+well.Path), err)
			}
			z.Images += len(w.Well.Images)
		}
		return z, nil
	case len(a.Multiscales) > 0:
		return Zarr{Images: 1, Name: a.Name}, nil
	case a.Layout == 3:
		series, err := filepath.Glob(filepath.Join(dir, "[0-9]*"))
		return Zarr{Series: true, Images: len(series)}, err
	default:
		return Zarr{}, errors.New("neither multiscales nor plate")
	}
}

// judgeZarr makes one candidate of a Zarr, with all that is below it.
func judgeZarr(root string) (*Candidate, error) {
	z, err := ReadZarr(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, errors.Join(ErrCorrupt, err)
	}
	c := &Candidate{Reader: "loci.formats.in.ZarrReader", Parent: true, Images: z.Images}
	if z.Plate {
		c.Images, c.Plates = 0, []int{z.Images}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			c.Used = append(c.Used, path)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(ErrCorrupt, err)
	}
	slices.Sort(c.Used)
	c.File = c.Used[0]
	return c, nil
}
