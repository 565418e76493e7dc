package tiff

import "fmt"

// maxVersions bounds the smaller versions of a page that are looked at.
const maxVersions = 32

// Small reads page n, from 0, or the smallest version that comes with it and has at least
// so many pixels at its longer side.
func (f *File) Small(n, least int) (*Page, error) {
	dir, best, err := f.readPage(f.pages[n])
	if err != nil {
		return nil, err
	}
	places := f.versions
	if len(f.pages) > 1 { // nothing tells which of them these are of
		places = nil
	}
	if _, ok := dir.entries[tagSubIFDs]; ok {
		d := &fields{file: f, directory: dir}
		if subs := d.all(tagSubIFDs); d.err == nil {
			for _, at := range subs[:min(len(subs), maxVersions)] {
				if at, err := f.offset(at); err == nil {
					places = append(places, at)
				}
			}
		}
	}
	for _, at := range places {
		dir, err := f.readDirectory(at)
		if err != nil {
			return nil, fmt.Errorf("a smaller version of page %d: %w", n+1, err)
		}
		page, err := f.newPage(dir)
		if err == nil && max(page.Width, page.Height) >= least && page.Width < best.Width && page.Height < best.Height {
			best = page
		}
	}
	return best, nil
}

// Columns is how many strips or tiles are decoded side by side.
func (p *Page) Columns() int { return p.across * p.planes }
