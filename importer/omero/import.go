package omero

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/model"
)

// batch is a request while it is carried out.
type batch struct {
	*hold

	req     importer.Request
	results []importer.Result
	units   []unit
	at      map[string][]int // units by their path for OMERO
	round   int              // of the present run
	made    []made
}

// unit is what OMERO makes one fileset of: a file of the request, or one in a folder of it.
type unit struct {
	path  string // that OMERO reads
	file  int
	round int // of the last run that was to import it
	done  bool
	err   error // why it is not
	// misplaced is set of one that does not go into the order's container.
	misplaced bool
}

// made is a fileset, or an image without one, that the order has made.
type made struct {
	file     int // the first of those that it comes of
	prefix   string
	objects  []model.Object
	adopted  bool // by an earlier run, which may have annotated it
	filesets []int64
}

// Import imports the request's files: those that an earlier run has not. It returns one result
// for each. What it annotates and names is done again only where it was not finished.
func (b *Backend) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	h := b.hold(req.UUID, req.Order)
	if err := h.lock(ctx); err != nil {
		return nil, err
	}
	defer h.unlock()
	h.take(ctx, req.Order)
	r := &batch{hold: h, req: req, results: make([]importer.Result, len(req.Files)), at: map[string][]int{}}
	if err := r.divide(ctx); err != nil {
		return nil, b.outward(err)
	}
	if err := h.withSession(ctx, func() error { return r.importAll(ctx) }); err != nil {
		if cutShort(ctx) {
			r.describeLastly(ctx)
		}
		return nil, b.outward(err)
	}
	r.conclude()
	if err := h.withSession(ctx, func() error { return r.describeAll(ctx) }); err != nil {
		return nil, b.outward(err)
	}
	return r.results, nil
}

// divide finds the units of the request's files. Of a folder OMERO is asked which files in it
// it would read: one that then fails would not be missed otherwise.
func (r *batch) divide(ctx context.Context) error {
	var folders []string
	of := map[string]int{}
	for i, file := range r.req.Files {
		path := file.Path
		if file.Copy != "" {
			path = file.Copy
		}
		if file.Copy == "" && isFolder(path) {
			err := r.backend.config.Share.NoLinks(ctx, path)
			if _, refused := errors.AsType[*importer.Error](err); refused {
				r.results[i].Err = err
				continue
			}
			if err != nil {
				return err
			}
		}
		if isFolder(path) && !inZarr(path) {
			if cli.IsNoLine(path) {
				r.results[i].Err = &importer.Error{Reason: fmt.Sprintf("The folder's name %q has line breaks, or ends in a blank: rename it.", path)}
				continue
			}
			folders, of[path] = append(folders, path), i
			continue
		}
		r.add(path, i)
	}
	if len(folders) == 0 {
		return nil
	}
	found, err := r.backend.cli.Candidates(ctx, r.dir, folders)
	if err != nil {
		return err
	}
	for _, path := range found {
		for dir := filepath.Dir(path); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			if i, ok := of[dir]; ok {
				r.add(path, i)
				break
			}
		}
	}
	return nil
}

// add adds a unit.
func (r *batch) add(path string, file int) {
	key := cli.ClientPath(path)
	r.at[key] = append(r.at[key], len(r.units))
	r.units = append(r.units, unit{path: path, file: file})
}

// importAll imports what is not imported yet. An error says nothing of the files.
func (r *batch) importAll(ctx context.Context) error {
	if r.resumed {
		if r.found == nil || slices.ContainsFunc(r.unfinished, r.has) {
			r.found = nil
			if err := r.awaitServer(ctx); err != nil {
				return err
			}
		}
		if err := r.adopt(ctx); err != nil {
			return err
		}
	}
	resumed, found := r.resumed, r.found
	r.takeShared()
	for units := range r.runs() {
		r.resumed, r.found = true, nil // until it is known what came of them
		err := r.importSome(ctx, units)
		_, refused := errors.AsType[*importer.Error](err)
		if err != nil && (ctx.Err() != nil || errors.Is(err, model.ErrSessionGone) || errors.Is(err, model.ErrUnavailable)) {
			return err
		}
		for _, n := range units {
			r.units[n].err = err
		}
		if err == nil || refused {
			r.resumed, r.found = resumed, found
		}
	}
	return nil
}

// runs divides the units that are left over runs of the importer: in one run no two have
// the same path for OMERO, and a path that cannot be a line of a list has a run of its own,
// as has a Zarr image that is registered.
func (r *batch) runs() iter.Seq[[]int] {
	var layers, alone [][]int
	depth := map[string]int{}
	for n, u := range r.units {
		if u.done {
			continue
		}
		if cli.IsNoLine(u.path) || r.registers(u) {
			alone = append(alone, []int{n})
			continue
		}
		key := cli.ClientPath(u.path)
		layer := depth[key]
		depth[key]++
		if layer == len(layers) {
			layers = append(layers, nil)
		}
		layers[layer] = append(layers[layer], n)
	}
	return slices.Values(append(layers, alone...))
}

// importSome imports units in one run. The error tells why not all were; those that were
// have their results.
func (r *batch) importSome(ctx context.Context, units []int) error {
	if first := r.units[units[0]]; r.registers(first) {
		return r.register(ctx, units[0])
	}
	run := cli.Import{
		Type: r.req.Type, Container: r.req.Container, Out: r.logFile("logs"), Errs: r.logFile("errs"), Progress: r.req.Progress,
	}
	r.round++
	for _, n := range units {
		r.units[n].round = r.round
		run.Paths = append(run.Paths, r.units[n].path)
		run.Folders = run.Folders || isFolder(r.units[n].path)
	}
	imported := r.cli.Import(ctx, run)
	if text := strings.TrimSpace(imported.Log); text != "" {
		r.req.Log.InfoContext(ctx, "omero import", slog.Int("filesets", len(imported.Records)), slog.String("errors", text))
	}
	if len(imported.Records) == 0 {
		return imported.Err
	}
	ids := make([]int64, len(imported.Records))
	for i, record := range imported.Records {
		ids[i] = record.Fileset
	}
	entries, err := r.cli.Entries(ctx, ids)
	if err != nil {
		return errors.Join(imported.Err, err)
	}
	images, plates := map[int64][]int64{}, map[int64][]int64{}
	for _, record := range imported.Records {
		images[record.Fileset], plates[record.Fileset] = record.Images, record.Plates
	}
	if imported.Doubtful {
		if images, plates, err = r.cli.Members(ctx, ids); err != nil {
			return errors.Join(imported.Err, err)
		}
	}
	found := filesetsOf(entries)
	var misplaced []*fileset
	for _, id := range ids {
		f := found[id]
		if f == nil {
			return errors.Join(imported.Err, fmt.Errorf("OMERO made the fileset %d, and does not know it", id))
		}
		f.objects = objectsOf(images[id], plates[id])
		r.share(f)
		if (len(plates[id]) > 0) != (r.req.Type == importer.Screen) {
			misplaced = append(misplaced, f)
			continue
		}
		r.assign(f, func(n int) bool { return r.units[n].round == r.round }, false)
	}
	return errors.Join(imported.Err, r.removeMisplaced(ctx, misplaced))
}

// share remembers a fileset of several files: later batches may name some of them.
func (r *batch) share(f *fileset) {
	if len(f.paths) > 1 {
		for _, path := range f.paths {
			r.shared[path] = f
		}
	}
}

// takeShared gives units the filesets that earlier batches have made of them and others.
func (r *batch) takeShared() {
	for n, u := range r.units {
		if f := r.shared[cli.ClientPath(u.path)]; f != nil && !u.done {
			r.give([]int{n}, made{prefix: f.prefix, objects: f.objects, filesets: []int64{f.id}, adopted: true})
		}
	}
}

// removeMisplaced removes what OMERO made of files and linked to nothing: plates, where a
// Dataset was asked for, or images without a plate, where it was a Screen.
func (r *batch) removeMisplaced(ctx context.Context, filesets []*fileset) error {
	if len(filesets) == 0 {
		return nil
	}
	ids := make([]int64, len(filesets))
	for i, f := range filesets {
		ids[i] = f.id
		for _, path := range f.paths {
			for _, n := range r.at[path] {
				r.units[n].misplaced = true
			}
		}
	}
	return r.cli.Delete(ctx, ids)
}

// unsafe is what a name of a log may not hold.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// logFile is where the importer of the order's files writes, as the original service named it.
func (r *batch) logFile(kind string) string {
	name := unsafe.ReplaceAllString(r.order.UUID, "_")
	if name != r.order.UUID {
		name += "-" + folderName(r.order.UUID) // two would have one
	}
	return filepath.Join(r.backend.config.Logs, "cli."+name+"."+kind)
}
