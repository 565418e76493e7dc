package omero

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// inZarr reports whether a path is an OME-Zarr, or in one.
func inZarr(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), importer.IsZarr)
}

// registers reports whether a unit is an OME-Zarr image that is registered where it is, as
// the settings want it. Plates cannot be registered.
func (r *batch) registers(u unit) bool {
	if !r.backend.config.RegisterZarr || r.req.Type != importer.Dataset || !inZarr(u.path) || !isFolder(u.path) {
		return false
	}
	zarr, err := importer.ReadZarr(os.DirFS(u.path))
	return err == nil && !zarr.Plate
}

// register registers an OME-Zarr image where it stays. It makes images without a fileset.
func (r *batch) register(ctx context.Context, n int) error {
	u := r.units[n]
	file := &r.req.Files[u.file]
	images, err := r.cli.Register(ctx, file.Path, r.nameOf(u), r.req.Type, r.req.Container)
	if err != nil || len(images) == 0 {
		return err
	}
	m := made{}
	for _, id := range images {
		r.registered[id] = true
		m.objects = append(m.objects, model.Object{Type: model.Image, ID: id})
	}
	r.give([]int{n}, m)
	return nil
}

// adoptRegistered finds images that an earlier run has registered, by their names: OMERO
// keeps no path of theirs that can be asked for.
func (r *batch) adoptRegistered(ctx context.Context) error {
	var units []int
	for n, u := range r.units {
		if !u.done && r.registers(u) {
			units = append(units, n)
		}
	}
	if len(units) == 0 || r.order.Mark == "" {
		return nil
	}
	mark, err := r.mark()
	if err != nil {
		return err
	}
	found, err := r.cli.Registered(ctx, r.req.Container, mark)
	if err != nil {
		return err
	}
	for _, n := range units {
		name := r.nameOf(r.units[n])
		for _, id := range found[name] {
			objects := objectsOf([]int64{id}, nil)
			has, err := r.annotations(ctx, objects)
			if err != nil {
				return err
			}
			if _, recorded := slices.BinarySearch(r.order.Images, id); recorded || r.registered[id] || has.byOthers(objects, r.order.UUID) {
				continue
			}
			r.registered[id] = true
			r.give([]int{n}, made{objects: objects, adopted: true})
			break
		}
	}
	return nil
}

// nameOf is the name that a registered image gets.
func (r *batch) nameOf(u unit) string {
	file := &r.req.Files[u.file]
	return cmp.Or(file.Name, importer.ImageName(file.Path))
}
