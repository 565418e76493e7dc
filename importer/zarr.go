package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Zarr is what an OME-Zarr folder holds.
type Zarr struct {
	Plate  bool
	Images int // fields of all wells of a plate; 1 for a single image
}

// MaxImages bounds what one folder may turn into; a larger one is a mistake or
// an attack.
const MaxImages = 100_000

// maxWells bounds a plate; the largest in use have 3456.
const maxWells = 10_000

// maxZarrMetadata bounds one metadata document; real ones are kilobytes, and
// that of a large plate below a megabyte.
const maxZarrMetadata = 4 << 20

// IsZarr reports whether a path names an OME-Zarr folder, by the convention
// that its last component ends in ".zarr".
func IsZarr(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".zarr") }

// ImageName is a path's name as an image: without ".ome.zarr" or ".zarr".
func ImageName(name string) string {
	base := path.Base(name)
	lower := strings.ToLower(base)
	for _, suffix := range []string{".ome.zarr", ".zarr"} {
		if strings.HasSuffix(lower, suffix) && len(base) > len(suffix) {
			return base[:len(base)-len(suffix)]
		}
	}
	return base
}

// zarrAttributes is the part of OME-Zarr metadata that tells images from
// plates; version 0.4 keeps it at the top of .zattrs, 0.5 under "ome" in the
// attributes of zarr.json.
type zarrAttributes struct {
	Multiscales []json.RawMessage `json:"multiscales"`
	// Layout 3 of bioformats2raw: a folder of images named 0, 1, 2 ….
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
}

// ReadZarr reads the metadata of the OME-Zarr at the top of fsys. An *Error
// says what is missing or wrong.
func ReadZarr(fsys fs.FS) (Zarr, error) {
	top, err := readZarrAttributes(fsys, ".")
	if err != nil {
		return Zarr{}, err
	}
	if top.Plate == nil && len(top.Multiscales) == 0 && top.Layout == 3 {
		return readSeries(fsys)
	}
	if top.Plate == nil {
		if len(top.Multiscales) == 0 {
			return Zarr{}, &Error{Reason: "It is no OME-Zarr image or plate: its metadata names neither \"multiscales\" nor \"plate\"."}
		}
		return Zarr{Images: len(top.Multiscales)}, nil
	}
	plate := Zarr{Plate: true}
	known := map[string]bool{}
	if len(top.Plate.Wells) > maxWells {
		return Zarr{}, &Error{Reason: fmt.Sprintf("Its plate metadata names %d wells, more than %d.", len(top.Plate.Wells), maxWells)}
	}
	for _, well := range top.Plate.Wells {
		if known[well.Path] {
			return Zarr{}, &Error{Reason: fmt.Sprintf("Its plate metadata names the well %q twice.", well.Path)}
		}
		known[well.Path] = true
		if !fs.ValidPath(well.Path) {
			return Zarr{}, &Error{Reason: fmt.Sprintf("Its plate metadata names the well %q, which is no path inside it.", well.Path)}
		}
		fields, err := readZarrAttributes(fsys, well.Path)
		if err != nil {
			return Zarr{}, err
		}
		if fields.Well != nil {
			plate.Images += len(fields.Well.Images)
		}
		if plate.Images > MaxImages {
			break
		}
	}
	if plate.Images == 0 {
		return Zarr{}, &Error{Reason: "Its plate metadata names no image."}
	}
	return plate, nil
}

// readSeries counts the numbered images of a bioformats2raw folder.
func readSeries(fsys fs.FS) (Zarr, error) {
	var series Zarr
	for {
		_, err := fs.Stat(fsys, strconv.Itoa(series.Images))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return Zarr{}, fmt.Errorf("counting its images: %w", err)
		}
		if series.Images++; series.Images > MaxImages {
			break
		}
	}
	if series.Images == 0 {
		return Zarr{}, &Error{Reason: "It is a bioformats2raw folder without an image."}
	}
	return series, nil
}

func readZarrAttributes(fsys fs.FS, dir string) (zarrAttributes, error) {
	var v2 zarrAttributes
	err := readMetadata(fsys, path.Join(dir, ".zattrs"), &v2)
	if !errors.Is(err, fs.ErrNotExist) {
		return v2, err
	}
	var v3 struct {
		Attributes struct {
			OME zarrAttributes `json:"ome"`
		} `json:"attributes"`
	}
	err = readMetadata(fsys, path.Join(dir, "zarr.json"), &v3)
	if errors.Is(err, fs.ErrNotExist) {
		err = &Error{Reason: fmt.Sprintf("It lacks metadata: %s or %s.", path.Join(dir, ".zattrs"), path.Join(dir, "zarr.json")), Err: err}
	}
	return v3.Attributes.OME, err
}

// readMetadata decodes a document. What is wrong with it is an *Error; faults
// of the storage, which may pass, are not.
func readMetadata(fsys fs.FS, name string, into any) error {
	data, err := readBounded(fsys, name)
	if errors.Is(err, fs.ErrPermission) {
		return &Error{Reason: fmt.Sprintf("The importer may not read its %s: change its permissions.", name), Err: err}
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &Error{Reason: fmt.Sprintf("Its %s is not readable: %v.", name, err), Err: err}
	}
	return nil
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	// Before it is opened: opening a pipe waits for its writer.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Reason: fmt.Sprintf("Its %s is no regular file.", name)}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxZarrMetadata+1))
	if err == nil && len(data) > maxZarrMetadata {
		err = &Error{Reason: fmt.Sprintf("Its %s is larger than %d bytes.", name, maxZarrMetadata)}
	}
	return data, err
}
