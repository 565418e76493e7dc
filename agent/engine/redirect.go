package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
)

// imports is what came out of one file, on its way into the backend.
type imports struct {
	path    string // of the file, as its author wrote it
	items   []preprocess.Item
	files   []importer.File // one for each item
	results []importer.Result
	err     error
	over    bool
}

// importConverted imports what came out of a file, names it, and has the links of
// what was read from a temporary copy lead to where it stays.
func (r *run) importConverted(ctx context.Context, f *tracking.File, asked preprocess.Request, result preprocess.Result) error {
	i := &imports{path: f.Path, items: result.Items}
	into := importer.ContainerType(r.work.Order.Destination.Type)
	checker := r.engine.share.Checker()
	defer checker.Close()
	for _, item := range result.Items {
		found, err := r.checkFile(checker, item.Published, into)
		if err != nil {
			return classify(err)
		}
		file := importer.File{Path: found.resolved, Name: item.Name}
		if item.Import != item.Published {
			if file.Copy = item.Import; !below(file.Copy, asked.Temp) {
				return order.Errorf(order.Invalid, "What %q was converted into is not where it should be: retry the order.", f.Path)
			}
		}
		i.files = append(i.files, file)
	}
	if err := r.importTogether(ctx, i); err != nil {
		return err
	}
	failpoint.Hit(failpoint.Imported)
	var folders []string
	for n := range i.results {
		folders = append(folders, i.results[n].Folders...)
	}
	if len(folders) > 0 {
		if err := unsaved(r.engine.store.SaveFolders(context.WithoutCancel(ctx), r.work, f.Ordinal, folders)); err != nil {
			return err
		}
	}
	err := redirectLastly(ctx, folders, result.Moves)
	failpoint.Hit(failpoint.Redirected)
	for n := range i.results {
		made := &i.results[n]
		if made.Err != nil {
			return classify(made.Err)
		}
		f.Filesets, f.Images, f.Plates = append(f.Filesets, made.Filesets...), append(f.Images, made.Images...), append(f.Plates, made.Plates...)
	}
	if err != nil {
		return err
	}
	r.log.InfoContext(ctx, "imported", slog.String("path", f.Path), slog.Any("filesets", f.Filesets))
	return nil
}

// importTogether imports what came out of a file with what came out of others while the
// batch before was imported: an order imports one batch at a time, converted or not.
func (r *run) importTogether(ctx context.Context, i *imports) error {
	r.mu.Lock()
	r.arrived = append(r.arrived, i)
	r.mu.Unlock()
	r.importing.Lock()
	defer r.importing.Unlock()
	if i.over {
		return i.err
	}
	r.mu.Lock()
	lot := r.arrived
	r.arrived = nil
	r.mu.Unlock()
	r.note(func(*converting) { r.progress(ctx, "importing") })
	var results []importer.Result
	err := guarded(ctx, r.log, func(ctx context.Context) (err error) {
		results, err = r.importLot(ctx, lot)
		return err
	})
	if err != nil {
		r.unsettled.Store(true) // some may have been imported
	}
	for _, i := range lot {
		if i.err, i.over = err, true; err == nil {
			i.results, results = results[:len(i.files)], results[len(i.files):]
		}
	}
	return i.err
}

func (r *run) importLot(ctx context.Context, lot []*imports) (results []importer.Result, err error) {
	var files []importer.File
	var of []func() ([]importer.Pair, error)
	parent := ""
	for _, i := range lot {
		for n := range i.files {
			files, parent = append(files, i.files[n]), above(parent, i.files[n].Path)
			of = append(of, func() ([]importer.Pair, error) { return r.describe(ctx, i.path, &i.items[n]) })
		}
	}
	err = within(ctx, "importing", r.engine.config.ImportTimeout, func(ctx context.Context) (err error) {
		results, err = r.ask(ctx, files, parent, func(n int) ([]importer.Pair, error) { return of[n]() })
		return err
	})
	return results, err
}

// redirectTime bounds the redirection of links.
const redirectTime = time.Minute

// redirectLastly redirects also when the order is cancelled meanwhile.
func redirectLastly(ctx context.Context, folders []string, moves []preprocess.Move) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redirectTime)
	defer cancel()
	return redirect(ctx, folders, moves)
}

// redirect has all links in folders lead to where what was converted stays. One that
// cannot be redirected does not stop those in other folders.
func redirect(ctx context.Context, folders []string, moves []preprocess.Move) error {
	var fault error
	for _, folder := range folders {
		if _, err := preprocess.Redirect(ctx, folder, moves); err != nil {
			fault = converterFault(ctx, err)
		}
	}
	return fault
}

// settle has the links of all that an order has imported lead to where what was converted
// stays. A run that imported it may not have come to that, nor to noting the import. look
// returns the order; it is nil where all imports are noted.
func (e *Engine) settle(ctx context.Context, uuid string, look func() (*tracking.Work, error)) error {
	kept, err := e.store.ConversionResults(ctx, uuid)
	if err != nil || len(kept) == 0 {
		return unsaved(err)
	}
	var moves []preprocess.Move
	var folders []string
	for _, k := range kept {
		var result preprocess.Result
		if err := json.Unmarshal([]byte(k.Result), &result); err != nil {
			return fmt.Errorf("reading a conversion of order %s: %w", uuid, err)
		}
		moves = append(moves, result.Moves...)
		for _, folder := range k.Folders {
			if _, err := os.Lstat(folder); err == nil { // or somebody has removed it
				folders = append(folders, folder)
			}
		}
	}
	if look != nil {
		work, err := look()
		if err != nil {
			return err
		}
		more, err := e.backend.Folders(ctx, target(work))
		if err != nil {
			return fmt.Errorf("looking for links of order %s: %w", uuid, err)
		}
		folders = append(folders, more...)
	}
	slices.Sort(folders)
	return redirect(ctx, slices.Compact(folders), moves)
}
