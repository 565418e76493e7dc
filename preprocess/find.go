package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode/utf8"
)

// find looks at what an item names: a file with content, or an OME-Zarr folder, with no
// link on the way. What is the converter's own is made readable for all.
func (s *inspection) find(ctx context.Context, in *os.Root, rel, name string, own bool) (size int64, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if strings.Count(rel, "/") > maxNesting {
		return 0, tooDeep()
	}
	dir, err := enterAll(in, path.Dir(rel))
	if err != nil {
		return 0, missing(name, err)
	}
	defer func() { _ = dir.Close() }()
	base := path.Base(rel)
	info, err := dir.Lstat(base)
	switch {
	case err != nil:
		return 0, missing(name, err)
	case info.IsDir() && isZarr(base):
		if !own {
			return 0, nil // the import looks into it
		}
		letIn(in, path.Dir(rel))
		size, err = s.tree(ctx, dir, base, name, 0)
		if err == nil && size == 0 {
			return 0, refuse(nil, "the folder %s that it named is empty", name)
		}
		return size, err
	case !info.Mode().IsRegular():
		return 0, refuse(nil, "what it named as %s is neither a file nor an OME-Zarr folder", name)
	case info.Size() == 0:
		return 0, refuse(nil, "the file %s that it named is empty", name)
	}
	if own {
		letIn(in, path.Dir(rel))
		err = settle(dir, base, info, 0o644)
	}
	return info.Size(), err
}

func tooDeep() error { return refuse(nil, "it made folders more than %d deep", maxNesting) }

// letIn lets others into the folders of a path in which there is no link.
func letIn(in *os.Root, rel string) {
	for ; rel != "."; rel = path.Dir(rel) {
		_ = in.Chmod(rel, 0o755) // where there are modes, and the folder is its own
	}
}

func isZarr(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".zarr") }

// missing tells what a converter did not leave from faults of the storage.
func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFolder) || errors.Is(err, syscall.ENAMETOOLONG) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EINVAL) || errors.Is(err, fs.ErrPermission) {
		return refuse(err, "there is no file %s, which it named", name)
	}
	return fmt.Errorf("looking for %s: %w", name, err)
}

// tree is the size of what is in a folder, and of nothing else than files and folders.
func (s *inspection) tree(ctx context.Context, in *os.Root, base, name string, nesting int) (size int64, err error) {
	dir, err := enter(in, base)
	if err != nil {
		return 0, missing(name, err)
	}
	defer func() { _ = dir.Close() }()
	entries, err := s.list(dir, name, nesting)
	if err != nil {
		return 0, err
	}
	for _, info := range entries {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		entry := path.Join(name, info.Name())
		var more int64
		switch {
		case info.IsDir():
			more, err = s.tree(ctx, dir, info.Name(), entry, nesting+1)
		case info.Mode().IsRegular():
			more, err = info.Size(), settle(dir, info.Name(), info, 0o644)
		default:
			err = refuse(nil, "in an OME-Zarr folder it made %s, which is neither a file nor a folder", entry)
		}
		if err != nil {
			return 0, err
		}
		size += more
	}
	info, err := in.Lstat(base)
	if err != nil {
		return 0, missing(name, err)
	}
	return size, settle(in, base, info, 0o755)
}

// list is what is in a folder.
func (s *inspection) list(dir *os.Root, name string, nesting int) ([]fs.FileInfo, error) {
	if nesting > maxNesting {
		return nil, tooDeep()
	}
	f, err := dir.Open(".")
	if err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(maxEntries)
	if err := ignoreEnd(err); err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", name, err)
	}
	if s.entries += len(names); s.entries >= maxEntries {
		return nil, refuse(nil, "it made more than %d files", maxEntries)
	}
	infos := make([]fs.FileInfo, 0, len(names))
	for _, entry := range names {
		if !utf8.ValidString(entry) {
			return nil, refuse(nil, "it made a file whose name is not in UTF-8: %q", path.Join(name, entry))
		}
		info, err := dir.Lstat(entry)
		if err != nil {
			return nil, missing(path.Join(name, entry), err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// settle makes a file or folder readable for all, and lasting before its name is.
func settle(dir *os.Root, name string, info fs.FileInfo, mode fs.FileMode) error {
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return missing(name, err)
	}
	defer func() { _ = f.Close() }()
	opened, err := f.Stat()
	if err != nil || !os.SameFile(info, opened) {
		return refuse(err, "%s changed while it was looked at", name)
	}
	// Another user's stays as it is, if only it can be read.
	if err := f.Chmod(mode); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("changing the mode of %s: %w", name, err)
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("syncing %s: %w", name, err)
	}
	return nil
}

// ignoreEnd is nil where there was nothing to read.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
