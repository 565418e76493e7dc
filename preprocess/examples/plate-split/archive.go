package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"biomero-importer/preprocess/examples/internal/converter"
)

const (
	// maxRatio is how much may come of each byte of an archive: microscopy images
	// shrink to a third or so, and only empty ones to less than a hundredth.
	maxRatio = 100
	// spare is what may come of a small archive.
	spare = 1 << 30
	// maxZipDirectory bounds the list of files that a zip archive ends with.
	maxZipDirectory = 32 << 20
)

// extractor puts the files of an archive into a folder, under numbers: their names
// have no power over where they go.
type extractor struct {
	dir     string
	files   []file
	entries int
	meter
}

// extract returns the TIFF files of an archive.
func extract(ctx context.Context, archive, dir string) ([]file, error) {
	f, size, err := converter.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	x := &extractor{dir: dir, meter: meter{left: maxRatio*size + spare, alive: ctx.Err}}
	err = x.take(f, size)
	return x.files, err
}

// take finds out what an archive is and extracts it.
func (x *extractor) take(r io.ReaderAt, size int64) error {
	head := make([]byte, 512)
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK")):
		return x.zip(r, size)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(io.NewSectionReader(r, 0, size))
		if err != nil {
			return fmt.Errorf("reading it as a gzip file: %w", err)
		}
		return x.tar(unzipped)
	case bytes.HasPrefix(head[257:], []byte("ustar")):
		return x.tar(io.NewSectionReader(r, 0, size))
	default:
		return errors.New("it is no folder and no archive of kind zip, tar or tar.gz")
	}
}

func (x *extractor) zip(r io.ReaderAt, size int64) error {
	directory := &frugal{ReaderAt: r, left: maxZipDirectory}
	archive, err := zip.NewReader(directory, size)
	if err != nil {
		return fmt.Errorf("reading its list of files: %w", err)
	}
	directory.left = math.MaxInt64
	for _, entry := range archive.File {
		name, err := x.accept(entry.Name, entry.Mode())
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		content, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		err = x.save(name, x.measured(content))
		_ = content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *extractor) tar(r io.Reader) error {
	archive := tar.NewReader(x.measured(r))
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading it as a tar archive: %w", err)
		}
		if entry.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		mode := entry.FileInfo().Mode()
		if entry.Typeflag == tar.TypeLink {
			mode |= fs.ModeIrregular
		}
		name, err := x.accept(entry.Name, mode)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := x.save(name, archive); err != nil {
			return err
		}
	}
}

// accept returns the name of an entry that is to be extracted, or none. It fails where
// nothing is to be, since the archive is hostile.
func (x *extractor) accept(name string, mode fs.FileMode) (string, error) {
	if x.entries++; x.entries > maxFiles {
		return "", fmt.Errorf("it holds more than %d files", maxFiles)
	}
	if !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("it names the file %q, which is not inside it", name)
	}
	if mode.IsDir() {
		return "", nil
	}
	if !mode.IsRegular() {
		return "", fmt.Errorf("%q in it is a link or a device", name)
	}
	if name = path.Clean(name); !wanted(name) {
		return "", nil
	}
	return name, nil
}

func (x *extractor) save(name string, content io.Reader) error {
	to := filepath.Join(x.dir, strconv.Itoa(len(x.files)))
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // a number in our own folder
	if err != nil {
		return fmt.Errorf("extracting: %w", err)
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("extracting %s: %w", name, err)
	}
	x.files = append(x.files, file{name: name, path: to})
	return nil
}
