package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// inspection finds what a converter's answer names, and what else it made.
type inspection struct {
	work    *Work
	record  *resultRecord
	known   map[string]int  // units by their paths in the partial folder
	above   map[string]bool // folders with units in them
	seen    map[string]bool // paths that items named
	entries int
	paths   int
}

// Bounds of what a converter may leave.
const (
	maxEntries = 200_000
	maxNesting = 64
	maxPaths   = 16 << 20 // bytes of the paths of all files, which are kept in memory
)

func (s *inspection) all(ctx context.Context, replies []reply) error {
	for _, r := range replies {
		if err := s.item(ctx, r); err != nil {
			return err
		}
	}
	if len(s.known) == 0 {
		return nil // it only passed on what was there
	}
	for rel := range s.known {
		for above := path.Dir(rel); above != "."; above = path.Dir(above) {
			if _, known := s.known[above]; known {
				return refuse(nil, "it named both the folder %s and %s in it", above, rel)
			}
			s.above[above] = true
		}
	}
	return s.rest(ctx, s.work.partial, ".", 0)
}

// refusal is what is wrong with what a converter answered or left, as part of a sentence.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return r.err }

func refuse(err error, format string, args ...any) error {
	const longest = 500 // what it names may be of any length
	text := strings.Map(printable, fmt.Sprintf(format, args...))
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return &refusal{text: text, err: err}
}

func (s *inspection) item(ctx context.Context, r reply) error {
	if err := s.once(r.full); err != nil {
		return err
	}
	made := outcome{Name: r.name, Unit: -1, KeyValues: r.keyValues}
	place, rel, err := s.work.place(r.full)
	if err != nil {
		return err
	}
	switch place {
	case s.work.partial:
		size, err := s.find(ctx, place, rel, r.full, true)
		if err != nil {
			return err
		}
		u := unit{From: rel}
		if r.alt != "" && r.alt != r.full {
			if u.Copy, err = s.copyOf(ctx, r.alt, size); err != nil {
				return err
			}
		}
		made.Unit = len(s.record.Units)
		s.known[rel] = made.Unit
		s.record.Units = append(s.record.Units, u)
	case s.work.folder:
		if _, err := s.find(ctx, place, rel, r.full, false); err != nil {
			return err
		}
		made.Original = filepath.Join(s.work.inputFolder(), rel)
	default:
		return refuse(nil, "it left %s only in %s, which is removed: full_path has to name what stays, in %s",
			rel, s.work.req.AltOutputFolder, path.Join(s.work.req.OutputFolder, s.work.req.processed()))
	}
	s.record.Items = append(s.record.Items, made)
	return nil
}

// once refuses what was named before: two images cannot have one file.
func (s *inspection) once(name string) error {
	name = path.Clean(name)
	if s.seen[name] {
		return refuse(nil, "it named %s twice", name)
	}
	s.seen[name] = true
	return nil
}

// copyOf is the path of an item's copy, which has to be as long as what stays.
func (s *inspection) copyOf(ctx context.Context, alt string, size int64) (string, error) {
	place, rel, err := s.work.place(alt)
	if err != nil {
		return "", err
	}
	if place != s.work.out {
		return "", refuse(nil, "its alt_path %s is not in %s", alt, s.work.req.AltOutputFolder)
	}
	if err := s.once(alt); err != nil {
		return "", err
	}
	copied, err := s.find(ctx, place, rel, alt, true)
	if err != nil {
		return "", err
	}
	if copied != size {
		return "", refuse(nil, "its two copies of %s differ: one has %d bytes, the other %d", path.Base(alt), copied, size)
	}
	return s.work.copyPath(rel), nil
}

func (w *Work) copyPath(rel string) string {
	return filepath.Join(w.req.Temp, outFolder(w.run.Run), rel)
}

// place maps a path of the container to one of the mounted folders.
func (w *Work) place(name string) (dir *os.Root, rel string, err error) {
	if !path.IsAbs(name) || strings.ContainsRune(name, 0) || slices.Contains(strings.Split(name, "/"), "..") {
		return nil, "", refuse(nil, "it named the path %q, which has to be whole and without \"..\"", name)
	}
	name = path.Clean(name)
	out := w.req.OutputFolder
	for _, mount := range []struct {
		target string
		dir    *os.Root
	}{{path.Join(out, w.req.processed()), w.partial}, {out, w.folder}, {w.req.AltOutputFolder, w.out}} {
		if rest, ok := strings.CutPrefix(name, mount.target+"/"); ok && mount.target != "" {
			return mount.dir, rest, nil
		}
	}
	return nil, "", refuse(nil, "it named the path %q, which is in none of the folders that it was given", name)
}

// rest publishes also what no item names: an image may consist of several files. Links
// and the like, hidden and empty files stay behind and are removed, unless they are part
// of an OME-Zarr folder.
func (s *inspection) rest(ctx context.Context, dir *os.Root, rel string, nesting int) error {
	entries, err := s.list(dir, rel, nesting)
	if err != nil {
		return err
	}
	for _, info := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := path.Join(rel, info.Name())
		if s.paths += len(name); s.paths > maxPaths {
			return refuse(nil, "it made files whose paths are longer than %d MiB together", maxPaths>>20)
		}
		_, known := s.known[name]
		switch {
		case known || strings.HasPrefix(info.Name(), "."):
		case info.IsDir() && (!isZarr(name) || s.above[name]):
			err = s.restOf(ctx, dir, info.Name(), name, nesting)
		case info.IsDir() || info.Mode().IsRegular():
			err = s.unnamed(ctx, dir, info, name, nesting)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *inspection) restOf(ctx context.Context, in *os.Root, base, name string, nesting int) error {
	dir, err := enter(in, base)
	if err != nil {
		return missing(name, err)
	}
	defer func() { _ = dir.Close() }()
	return s.rest(ctx, dir, name, nesting+1)
}

// unnamed publishes a file or OME-Zarr folder, if it has content, together with its copy
// if there is one.
func (s *inspection) unnamed(ctx context.Context, dir *os.Root, info fs.FileInfo, name string, nesting int) error {
	size, err := info.Size(), error(nil)
	switch {
	case info.IsDir():
		size, err = s.tree(ctx, dir, info.Name(), name, nesting+1)
	case size > 0:
		err = settle(dir, info.Name(), info, 0o644)
	}
	if err != nil || size == 0 {
		return err
	}
	u := unit{From: name}
	copied, err := s.find(ctx, s.work.out, name, name, true)
	if err == nil && copied == size {
		u.Copy = s.work.copyPath(name)
	}
	s.record.Units = append(s.record.Units, u)
	if _, none := errors.AsType[*refusal](err); none {
		return nil
	}
	return err
}
