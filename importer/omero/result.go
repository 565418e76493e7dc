package omero

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/model"
)

// conclude says of each file that is not imported as a whole why it is not.
func (r *batch) conclude() {
	total, missing := make([]int, len(r.results)), make([]int, len(r.results))
	for _, u := range r.units {
		total[u.file]++
		if u.done {
			continue
		}
		err := u.err
		if u.misplaced {
			err = &importer.Error{Reason: r.misplacedReason(u)}
		}
		if err == nil {
			err = &importer.Error{Reason: fmt.Sprintf(
				"OMERO made no image of %q: it may be damaged, or of a format that OMERO does not read; the order's log has what OMERO said.", r.shown(u))}
		}
		_, refused := errors.AsType[*importer.Error](err)
		if missing[u.file]++; missing[u.file] == 1 || !refused {
			r.results[u.file].Err = err // one that may pass counts for more
		}
	}
	for i := range r.results {
		result := &r.results[i]
		refused, ok := errors.AsType[*importer.Error](result.Err)
		switch {
		case total[i] == 0 && result.Err == nil:
			result.Err = &importer.Error{Reason: fmt.Sprintf("OMERO finds nothing in the folder %q that it reads.", r.req.Files[i].Path)}
		case ok && total[i] > 1:
			result.Err = &importer.Error{Reason: fmt.Sprintf("%d of %d images and plates in the folder are not imported. %s", missing[i], total[i], refused.Reason), Err: refused}
		}
	}
}

func (r *batch) misplacedReason(u unit) string {
	if r.req.Type == importer.Screen {
		return fmt.Sprintf("%q holds no plate, which a Screen takes: order it into a Dataset.", r.shown(u))
	}
	return fmt.Sprintf("%q holds a plate, which a Dataset does not take: order it into a Screen.", r.shown(u))
}

// shown is the path by which the order's author knows a unit.
func (r *batch) shown(u unit) string {
	file := &r.req.Files[u.file]
	if file.Copy == "" {
		return u.path
	}
	return file.Path + strings.TrimPrefix(u.path, file.Copy)
}

// fileset is what OMERO says of a fileset.
type fileset struct {
	id      int64
	prefix  string
	paths   []string // see cli.ClientPath
	objects []model.Object
}

// filesetsOf gathers entries.
func filesetsOf(entries []cli.Entry) map[int64]*fileset {
	found := map[int64]*fileset{}
	for _, e := range entries {
		f := found[e.Fileset]
		if f == nil {
			f = &fileset{id: e.Fileset, prefix: e.Prefix}
			found[e.Fileset] = f
		}
		f.paths = append(f.paths, e.ClientPath)
	}
	return found
}

// objectsOf are what is annotated: the plates, or the images where there is none.
func objectsOf(images, plates []int64) (objects []model.Object) {
	for _, id := range plates {
		objects = append(objects, model.Object{Type: model.Plate, ID: id})
	}
	if len(plates) == 0 {
		for _, id := range images {
			objects = append(objects, model.Object{Type: model.Image, ID: id})
		}
	}
	return objects
}

// assign gives a fileset to those units that hold one of its paths: of several that have
// one path for OMERO, to the first that may have it.
func (r *batch) assign(f *fileset, may func(n int) bool, adopted bool) {
	if r.given[f.id] {
		return
	}
	var of []int
	looked := map[string]bool{}
	for _, path := range f.paths {
		for path := range upward(path) {
			if looked[path] {
				break
			}
			looked[path] = true
			if at := slices.IndexFunc(r.at[path], may); at >= 0 {
				of = append(of, r.at[path][at])
			}
		}
	}
	if len(of) == 0 && !adopted {
		of = r.only() // OMERO came to it by another path
	}
	if len(of) == 0 {
		if !adopted { // else it is another batch's
			r.req.Log.Warn("a fileset that none of the order's files is in", slog.Int64("fileset", f.id), slog.Any("paths", f.paths))
		}
		return
	}
	r.given[f.id] = true
	r.give(of, made{prefix: f.prefix, objects: f.objects, filesets: []int64{f.id}, adopted: adopted})
}

// upward are a client path and the folders that it is in.
func upward(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path != "." && path != "/" && yield(path) {
			path = filepath.Dir(path)
		}
	}
}

// only is the unit of the present run, if it has one alone.
func (r *batch) only() (of []int) {
	for n := range r.units {
		if r.units[n].round == r.round {
			of = append(of, n)
		}
		if len(of) > 1 {
			return nil
		}
	}
	return of
}

// give notes what units have become.
func (r *batch) give(units []int, m made) {
	m.file = r.units[units[0]].file
	r.made = append(r.made, m)
	var files []int
	for _, n := range units {
		u := &r.units[n]
		u.done = true
		if !slices.Contains(files, u.file) {
			files = append(files, u.file)
		}
	}
	for _, i := range files {
		result := &r.results[i]
		result.Filesets = append(result.Filesets, m.filesets...)
		for _, o := range m.objects {
			if o.Type == model.Plate {
				result.Plates = append(result.Plates, o.ID)
			} else {
				result.Images = append(result.Images, o.ID)
			}
		}
		if folder := r.backend.links(m.prefix); m.prefix != "" && r.req.Files[i].Copy != "" && !slices.Contains(result.Folders, folder) {
			result.Folders = append(result.Folders, folder)
		}
	}
}

// links is the folder of a fileset's links.
func (b *Backend) links(prefix string) string {
	return filepath.Join(b.config.Repository, filepath.Join("/", prefix))
}
