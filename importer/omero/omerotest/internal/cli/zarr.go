package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// zarr registers a Zarr where it is (omero-cli-zarr, zarr_import.py; contract,
// "OME-Zarr"). What it cannot do it only says.
func (a *app) zarr() error {
	if _, err := a.conn(); err != nil {
		return err
	}
	if f, struck := a.strike(server.AtZarr, 0); struck {
		if done, err := a.commandFault(f); done || err != nil {
			return err
		}
	}
	uri := a.values.Get("uri")
	z, err := bioformats.ReadZarr(uri)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &uncaught{"zarr.errors.GroupNotFoundError: No group found in store '" + uri + "' at path ''"}
	case err != nil:
		return &uncaught{"KeyError: 'multiscales'"}
	case z.Plate:
		a.out("Plate import not yet supported")
		return nil
	case !a.options.PixelBuffer:
		return &uncaught{"omero.ResourceError: Error instantiating pixel buffer"}
	}
	if z.Series {
		return a.zarrSeries(uri, z)
	}
	a.out("Importing: Image")
	name := a.values.Get("name")
	if name == "" {
		name = z.Name
	}
	if name == "" {
		name = filepath.Base(uri)
	}
	id, err := a.register(name, uri)
	if err != nil {
		return err
	}
	a.out("lsid: " + uri)
	a.out(fmt.Sprintf("Imported Image: %d", id))
	return a.linkZarr([]int64{id})
}

// zarrSeries registers each image of a folder of images. Without OME-XML, which
// is not looked at here, that is told in other words.
func (a *app) zarrSeries(uri string, z bioformats.Zarr) error {
	a.out("Importing: bioformats2raw.layout")
	a.out("OME/METADATA.ome.xml Not Found")
	var ids []int64
	for series := range z.Images {
		a.out(fmt.Sprintf("Checking for series: %d", series))
		name := a.values.Get("name")
		if name == "" {
			name = fmt.Sprintf("%s [%d]", filepath.Base(uri), series)
		}
		id, err := a.register(name, fmt.Sprintf("%s/%d", strings.TrimRight(uri, "/"), series))
		if err != nil {
			return err
		}
		a.out(fmt.Sprintf("Created Image %d", id))
		ids = append(ids, id)
	}
	a.out(fmt.Sprintf("Checking for series: %d", z.Images))
	return a.linkZarr(ids)
}

func (a *app) register(name, uri string) (id int64, err error) {
	err = a.Store.Update(func(tx *server.Tx) error {
		id = tx.Register(a.client.actor, name, uri).ID
		return nil
	})
	return id, err
}

// linkZarr puts images into a Dataset, whatever class the target names.
func (a *app) linkZarr(images []int64) error {
	target := a.values.Get("target")
	byName := a.values.Get("target_by_name")
	if target == "" && byName == "" {
		return nil
	}
	for _, image := range images {
		dataset, err := a.zarrTarget(target, byName)
		if err != nil {
			return err
		}
		if dataset == 0 {
			a.out("Target not found")
			continue
		}
		err = a.Store.Update(func(tx *server.Tx) error {
			_, err := tx.NewLink(a.client.actor, server.Link{Type: server.DatasetImageLink, Parent: dataset, Child: image})
			return err
		})
		if err != nil {
			return err
		}
		a.out(fmt.Sprintf("Linked to Dataset %d", dataset))
	}
	return nil
}

// zarrTarget is a Dataset, or 0.
func (a *app) zarrTarget(target, name string) (dataset int64, err error) {
	var id int64
	if target != "" {
		if _, number, ok := strings.Cut(target, ":"); ok {
			target = number
		}
		id, err = strconv.ParseInt(target, 10, 64)
		if err != nil {
			return 0, &uncaught{"ValueError: invalid literal for int() with base 10: '" + target + "'"}
		}
	}
	err = a.Store.View(func(w *server.World) {
		for _, c := range w.Containers(server.Dataset) {
			if w.Sees(a.client.actor, c.Details, false) && (c.ID == id || target == "" && c.Name == name) && dataset == 0 {
				dataset = c.ID
			}
		}
	})
	return dataset, err
}
