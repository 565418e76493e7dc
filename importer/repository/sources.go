package repository

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"biomero-importer/importer"
)

func (r *Repository) zarr(ctx context.Context, req importer.Request, file importer.File) ([]Source, error) {
	dir := file.Path
	found, err := r.share.Zarr(dir, req.Type)
	if err == nil {
		err = r.share.NoLinks(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	link, err := linkName(req.Parent, dir)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(file.Name, importer.ImageName(dir))
	source := Source{Path: dir, Link: link}
	if found.Plate {
		source.Plates = []string{name}
	}
	for i := range found.Images {
		label := name
		if found.Images > 1 {
			label += " [" + strconv.Itoa(i+1) + "]"
		}
		source.Images = append(source.Images, label)
	}
	return []Source{source}, nil
}

// folder makes a source of each file below dir, and of each OME-Zarr. Hidden
// entries and empty files are not data; a link may not lead out of the share.
func (r *Repository) folder(ctx context.Context, checker *importer.Checker, req importer.Request, dir string) ([]Source, error) {
	rel, err := r.share.Rel(dir)
	if err != nil {
		return nil, err
	}
	var sources []Source
	images := 0
	err = fs.WalkDir(r.share.Root().FS(), rel, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading the folder %q: %w", filepath.Join(r.share.Dir(), name), err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == rel {
			return nil
		}
		file := filepath.Join(r.share.Dir(), name)
		if strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		found, err := r.entry(ctx, checker, req, file, entry)
		if err != nil {
			return err
		}
		sources = append(sources, found...)
		if images += countImages(found); images > importer.MaxImages {
			return &importer.Error{Reason: fmt.Sprintf("The folder %q holds more than %d images: order parts of it.", dir, importer.MaxImages)}
		}
		if entry.IsDir() && importer.IsZarr(name) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, &importer.Error{Reason: fmt.Sprintf("The folder %q holds no file to import.", dir)}
	}
	return sources, nil
}

func (r *Repository) entry(ctx context.Context, checker *importer.Checker, req importer.Request, file string, entry fs.DirEntry) ([]Source, error) {
	switch {
	case entry.IsDir() && importer.IsZarr(file):
		return r.zarr(ctx, req, importer.File{Path: file})
	case entry.IsDir():
		return nil, nil
	}
	resolved, info, err := checker.Resolve(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() && resolved != file {
		return nil, &importer.Error{Reason: fmt.Sprintf("%q is a link to a folder: order that folder by its own path.", file)}
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, nil
	}
	if resolved, _, err = checker.Check(file); err != nil {
		return nil, err
	}
	link, err := linkName(req.Parent, file)
	if err != nil {
		return nil, err
	}
	return []Source{{Path: resolved, Link: link, Images: []string{path.Base(file)}}}, nil
}
