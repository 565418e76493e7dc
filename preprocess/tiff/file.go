package tiff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// File is a TIFF file that is being read.
type File struct {
	r     io.ReaderAt
	size  int64
	order binary.ByteOrder
	big   bool
	pages []int64 // where the directory of each is
	// versions are smaller ones of pages, or masks, as far as they stand among pages.
	versions []int64

	format Format // of the first page
	unlike int    // the number of a page of another format, or 0
}

// maxPages bounds what one file may turn into; a larger one is a mistake or an
// attack.
const maxPages = 100_000

// Open reads the directories of all pages. Those that hold smaller versions of
// others, or masks, do not count.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	at, err := f.readHeader()
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	used := int64(0)
	for n := 1; at != 0; n++ {
		if seen[at] {
			return nil, fmt.Errorf("page %d: its directory is that of an earlier page", n)
		}
		if seen[at] = true; n > maxPages {
			return nil, fmt.Errorf("it has more than %d pages", maxPages)
		}
		dir, page, err := f.readPage(at)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		used += dir.bytes
		if page != nil {
			used += page.fileBytes()
			f.pages = append(f.pages, at)
			if len(f.pages) == 1 {
				f.format = page.Format
			}
			if page.Format != f.format {
				f.unlike = n
			}
		} else if len(f.versions) < maxVersions {
			f.versions = append(f.versions, at)
		}
		// What is shared between pages would make a small file hours of work.
		if used > f.size {
			return nil, fmt.Errorf("page %d: its data is also that of other pages, or lies beyond the end of the file", n)
		}
		at = dir.next
	}
	if len(f.pages) == 0 {
		return nil, errors.New("it has no page")
	}
	return f, nil
}

// readPage reads the page whose directory is at a place; it is nil where it does not
// count.
func (f *File) readPage(at int64) (directory, *Page, error) {
	dir, err := f.readDirectory(at)
	if err != nil {
		return directory{}, nil, err
	}
	if kind := (&fields{file: f, directory: dir}).one(tagSubfileType, 0); kind&(subfileReduced|subfileMask) != 0 {
		return dir, nil, nil
	}
	page, err := f.newPage(dir)
	return dir, page, err
}

// readHeader returns where the first directory is.
func (f *File) readHeader() (int64, error) {
	head, err := f.read(0, 8)
	if err != nil {
		return 0, errors.New("it is no TIFF file: it is too short")
	}
	switch string(head[:2]) {
	case "II":
		f.order = binary.LittleEndian
	case "MM":
		f.order = binary.BigEndian
	default:
		return 0, errors.New("it is no TIFF file: it starts with neither II nor MM")
	}
	switch version := f.order.Uint16(head[2:]); version {
	case 42:
		return f.offset(uint64(f.order.Uint32(head[4:])))
	case 43:
		f.big = true
	default:
		return 0, fmt.Errorf("it is no TIFF file: its version is %d, not 42 or 43", version)
	}
	head, err = f.read(8, 8)
	if err != nil {
		return 0, errors.New("it is no TIFF file: it is too short")
	}
	return f.offset(f.order.Uint64(head))
}

// Pages is the number of pages.
func (f *File) Pages() int { return len(f.pages) }

// Format is what all pages have in common.
func (f *File) Format() (Format, error) {
	if f.unlike > 0 {
		return Format{}, fmt.Errorf("page %d has another size or other samples than page 1", f.unlike)
	}
	return f.format, nil
}

// Page reads what page n is, from 0.
func (f *File) Page(n int) (*Page, error) {
	_, page, err := f.readPage(f.pages[n])
	return page, err
}

// Description is the text that comes with the first page.
func (f *File) Description() (string, error) {
	dir, err := f.readDirectory(f.pages[0])
	if err != nil {
		return "", err
	}
	d := fields{file: f, directory: dir}
	text := d.text(tagDescription)
	return text, d.err
}
