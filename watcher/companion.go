package watcher

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxCompanion bounds what is read of a companion file, and the names in it.
const (
	maxCompanion     = 16 << 20
	maxCompanionFile = 100_000
)

// companionFiles reads which OME-TIFFs belong to a companion file of OME's, in
// lower case. One that cannot be understood is broken.
func companionFiles(f *folder, name string) (files map[string]struct{}, broken bool, err error) {
	fd, err := openBelow(f.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC)
	if err != nil {
		return nil, false, fmt.Errorf("opening %q: %w", join(f.path, name), err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer func() { _ = file.Close() }()
	// Reading a pipe that somebody put in its place would never end.
	if st, err := file.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, false, fmt.Errorf("reading %q: %w", join(f.path, name), cmp.Or(err, error(unix.ENOENT)))
	}
	files, err = decodeCompanion(io.LimitReader(file, maxCompanion))
	if _, failed := errors.AsType[*os.PathError](err); failed {
		return nil, false, fmt.Errorf("reading %q: %w", join(f.path, name), err)
	}
	return files, err != nil || len(files) == 0, nil
}

// errCompanion says that a companion file names more files than any has.
var errCompanion = errors.New("too many files are named")

// decodeCompanion collects <UUID FileName="…"> from OME-XML. Names that lead
// elsewhere are left out.
func decodeCompanion(r io.Reader) (map[string]struct{}, error) {
	files := map[string]struct{}{}
	d := xml.NewDecoder(r)
	open := 0 // elements: at the end of a file that is cut short, there are some
	for {
		token, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF) && open > 0:
			return files, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return files, nil
		case err != nil:
			return files, err
		}
		if _, ok := token.(xml.EndElement); ok {
			open--
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if open++; start.Name.Local != "UUID" {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local != "FileName" || strings.ContainsAny(a.Value, "/\\\x00") || a.Value == "" {
				continue
			}
			if files[lower(a.Value)] = struct{}{}; len(files) > maxCompanionFile {
				return files, errCompanion
			}
		}
	}
}
