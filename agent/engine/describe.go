package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"biomero-importer/importer"
	"biomero-importer/preprocess"
)

// The names of pairs, by which clients know them (contract of annotations).
const (
	ofParams   = "preprocessing_"
	ofOutput   = "processing_output_"
	ofTable    = "csv_"
	ofManifest = "metadata_"
)

// defaultTable is the name of a table of pairs beside files.
const defaultTable = "metadata.csv"

// description tells what is attached to what an order imports.
type description struct {
	known bool
	order []importer.Pair // of each file
	table string          // name of the tables of more, beside files

	folder string // whose tables were read last
	pairs  []importer.Pair
}

// describe tells what is attached to what comes of a file. made is nil of one that was not
// converted.
func (r *run) describe(ctx context.Context, path string, made *preprocess.Item) (pairs []importer.Pair, err error) {
	d := &r.description
	if !d.known {
		if err := r.describeOrder(ctx); err != nil {
			return nil, err
		}
		d.known = true
	}
	pairs = []importer.Pair{{Key: "UUID", Value: r.work.Order.UUID}, {Key: "Filepath", Value: path}}
	if made != nil {
		pairs = append(pairs, importer.Pair{Key: "Imported_from", Value: made.Published})
	}
	pairs = append(pairs, d.order...)
	if made != nil {
		for _, p := range made.KeyValues {
			for _, value := range p.Values {
				pairs = append(pairs, importer.Pair{Key: ofOutput + p.Key, Value: value})
			}
		}
	}
	more, err := r.tables(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	pairs = append(pairs, more...)
	return append(pairs, importer.Pair{Key: "Import_Timestamp", Value: time.Now().Format(time.RFC3339)}), nil
}

// describeTime bounds reading what is attached to all files.
const describeTime = 30 * time.Second

// describeOrder finds out what is attached to all files of the order, also once that is
// cancelled: what it has imported by then is described nevertheless.
func (r *run) describeOrder(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), describeTime)
	defer cancel()
	o := &r.work.Order
	metadata, table, err := r.engine.store.Metadata(ctx, o.UUID)
	if err != nil {
		return unsaved(err)
	}
	pairs := []importer.Pair{
		{Key: "Group", Value: o.Group},
		{Key: "Username", Value: o.User},
		{Key: "DestinationID", Value: strconv.FormatInt(o.Destination.ID, 10)},
		{Key: "DestinationType", Value: string(o.Destination.Type)},
		{Key: "Files", Value: r.filesShown()},
	}
	if r.work.Names != nil {
		pairs = append(pairs, importer.Pair{Key: "FileNames", Value: *r.work.Names})
	}
	if c := o.Converter; c != nil {
		pairs = append(pairs, importer.Pair{Key: ofParams + "container", Value: c.Container},
			importer.Pair{Key: ofParams + "inputfile", Value: c.InputFile}, importer.Pair{Key: ofParams + "outputfolder", Value: c.OutputFolder},
			importer.Pair{Key: ofParams + "altoutputfolder", Value: c.AltOutputFolder})
		for _, key := range slices.Sorted(maps.Keys(c.Params)) {
			value, ok := c.Params[key].(string)
			if !ok {
				encoded, err := json.Marshal(c.Params[key])
				if err != nil {
					return fmt.Errorf("describing the parameter %q: %w", key, err)
				}
				value = string(encoded)
			}
			pairs = append(pairs, importer.Pair{Key: ofParams + key, Value: value})
		}
		if r.work.ConverterID != nil {
			pairs = append(pairs, importer.Pair{Key: ofParams + "id", Value: strconv.FormatInt(*r.work.ConverterID, 10)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		pairs = append(pairs, importer.Pair{Key: ofManifest + key, Value: metadata[key]})
	}
	r.description.order, r.description.table = pairs, defaultTable
	if table != "" {
		r.description.table = table
	}
	return nil
}

// maxFilesShown is up to which length, in bytes, each annotation names all of its order's
// files.
const maxFilesShown = 4 << 10

// filesShown is the list of the order's files, or its ends where it is long.
func (r *run) filesShown() string {
	paths := r.work.Order.Files
	if r.work.Long {
		paths = r.work.Ends
	}
	shown := jsonList(paths)
	if n := len(paths); r.work.Long && n == 3 || len(shown) > maxFilesShown && n > 2 {
		shown = jsonList([]string{paths[0], "...", paths[n-1]})
	}
	return shown
}

func jsonList(texts []string) string {
	encoded, err := json.Marshal(texts)
	if err != nil {
		return "" // texts can always be encoded
	}
	return string(encoded)
}

// tables reads the tables of pairs beside the files of a folder, or in its processed folder.
// One that cannot be understood is told of in the log: it keeps nothing from being imported.
func (r *run) tables(ctx context.Context, folder string) ([]importer.Pair, error) {
	d := &r.description
	if d.folder == folder {
		return d.pairs, nil
	}
	places := []string{filepath.Join(folder, d.table), filepath.Join(folder, r.engine.config.Conversions.Processed, d.table)}
	if filepath.IsAbs(d.table) {
		places = []string{d.table}
	}
	var pairs []importer.Pair
	for _, path := range places {
		found, warnings, err := r.engine.share.Metadata(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, wrong := errors.AsType[*importer.Error](err); wrong {
			warnings, err = append(warnings, err.Error()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", path, err)
		}
		for _, warning := range warnings {
			r.log.WarnContext(ctx, "metadata", slog.String("path", path), slog.String("warning", warning))
		}
		for _, p := range found {
			pairs = append(pairs, importer.Pair{Key: ofTable + p.Key, Value: p.Value})
		}
	}
	d.folder, d.pairs = folder, pairs
	return pairs, nil
}
