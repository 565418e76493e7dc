package converter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// outputs are the files that come out. They have a partial name until all of them
// are complete.
type outputs struct {
	full, alt string // folders; alt may be empty
	files     []*Output
	dirs      []string // temporary ones
	renamed   []string
	published bool
}

// Output is one of them.
type Output struct {
	*os.File

	full, alt string // paths; alt may be empty
}

const (
	partial = ".partial"
	// maxTries bounds the files of one name.
	maxTries = 10_000
)

// Item tells of an output.
func (o *Output) Item(name string, facts map[string]any) Item {
	return Item{Name: name, FullPath: o.full, AltPath: o.alt, Keyvalues: []map[string]any{facts}}
}

// Create starts a file named after stem. Where there is one already, which may be
// behind an image that was imported, it gets a number.
func (o *outputs) Create(stem string) (*Output, error) {
	for n := 1; n <= maxTries; n++ {
		name := stem + ".ome.tiff"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.ome.tiff", stem, n)
		}
		out, err := o.create(name)
		if err == nil {
			o.files = append(o.files, out)
			return out, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("creating %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("there are %d files named after %s already", maxTries, stem)
}

func (o *outputs) create(name string) (*Output, error) {
	out := &Output{full: filepath.Join(o.full, name)}
	full, err := reserve(out.full)
	if err != nil || o.alt == "" {
		out.File = full
		return out, err
	}
	_ = full.Close()
	out.alt = filepath.Join(o.alt, name)
	out.File, err = reserve(out.alt)
	if err != nil {
		_ = os.Remove(out.full + partial)
	}
	return out, err
}

// reserve creates the partial file. Whoever has it is the only one to make the file
// itself, so that looking for that and renaming over it are safe.
func reserve(path string) (*os.File, error) {
	//nolint:gosec // OMERO reads it as another user
	f, err := os.OpenFile(path+partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = fs.ErrExist
	}
	_ = f.Close()
	_ = os.Remove(path + partial)
	return nil, err
}

// TempDir makes a folder that is gone in the end. A container may write nowhere else.
func (o *outputs) TempDir() (string, error) {
	in := o.alt
	if in == "" {
		in = o.full
	}
	dir, err := os.MkdirTemp(in, ".converting-*"+partial)
	if err != nil {
		return "", fmt.Errorf("creating a temporary folder: %w", err)
	}
	o.dirs = append(o.dirs, dir)
	return dir, nil
}

// publish completes all outputs and gives them their names.
func (o *outputs) publish(ctx context.Context) error {
	for _, out := range o.files {
		if err := out.complete(ctx); err != nil {
			return fmt.Errorf("completing %s: %w", filepath.Base(out.full), err)
		}
	}
	for _, path := range o.paths() {
		if err := os.Rename(path+partial, path); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		o.renamed = append(o.renamed, path)
	}
	o.published = true
	return nil
}

// complete copies an output to where it stays.
func (o *Output) complete(ctx context.Context) error {
	if o.alt == "" {
		return errors.Join(o.Sync(), o.Close())
	}
	full, err := os.OpenFile(o.full+partial, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := o.Seek(0, io.SeekStart); err != nil {
		return errors.Join(err, full.Close())
	}
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(full, o, 64<<20)
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(err, full.Close())
	}
	return errors.Join(full.Sync(), full.Close(), o.Close())
}

func (o *outputs) paths() []string {
	var paths []string
	for _, out := range o.files {
		paths = append(paths, out.full)
		if out.alt != "" {
			paths = append(paths, out.alt)
		}
	}
	return paths
}

// discard removes temporary folders and, unless they are published, outputs.
func (o *outputs) discard() {
	for _, dir := range o.dirs {
		_ = os.RemoveAll(dir)
	}
	if o.published {
		return
	}
	for _, out := range o.files {
		_ = out.Close()
	}
	for _, path := range o.paths() {
		_ = os.Remove(path + partial)
	}
	for _, path := range o.renamed {
		_ = os.Remove(path)
	}
}
