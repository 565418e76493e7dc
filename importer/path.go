package importer

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
	"sync"
	"syscall"
	"unicode/utf8"
)

// Share is the storage that images may be imported from. Paths are resolved
// below its folder and opened through it, so that neither ".." nor a link,
// however it is swapped, leads out.
type Share struct {
	dir    string // as configured
	target string // without links

	mu     sync.Mutex
	root   *os.Root   // of target, as it is mounted now
	former []*os.Root // of what was mounted there before; others may still use them
}

// OpenShare opens the share at dir, an absolute path.
func OpenShare(dir string) (*Share, error) {
	target, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("opening base_dir %s: %w", dir, err)
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return nil, fmt.Errorf("opening base_dir %s: %w", dir, err)
	}
	return &Share{dir: filepath.Clean(dir), target: target, root: root}, nil
}

// Close releases the share.
func (s *Share) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.root.Close()
	for _, r := range s.former {
		err = errors.Join(err, r.Close())
	}
	return err
}

// Dir is the share's folder as it was configured.
func (s *Share) Dir() string { return s.dir }

// Root gives access to what lies below the share and to nothing else. It
// follows the share when that is mounted anew.
func (s *Share) Root() *os.Root {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := os.Stat(s.target)
	if err != nil {
		return s.root
	}
	if then, err := s.root.Stat("."); err == nil && os.SameFile(now, then) {
		return s.root
	}
	if root, err := os.OpenRoot(s.target); err == nil {
		s.former = append(s.former, s.root)
		s.root = root
	}
	return s.root
}

// Rel is path, an absolute one, relative to the share. It does not look at the
// filesystem. A path outside is an *Error.
func (s *Share) Rel(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &Error{Reason: fmt.Sprintf("The path %q is not absolute: give the whole path below %s.", path, s.dir)}
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			return "", &Error{Reason: fmt.Sprintf("The path %q contains \"..\": give the path itself.", path)}
		}
	}
	rel, err := filepath.Rel(s.dir, filepath.Clean(path))
	if err != nil || !filepath.IsLocal(rel) {
		return "", &Error{Reason: fmt.Sprintf("The path %q lies outside %s, where data must be.", path, s.dir)}
	}
	return rel, nil
}

// Resolve follows path's links and returns where it really is, spelled below
// the share's configured folder, together with what is there. An *Error says
// what is wrong with the path; other errors may pass.
func (s *Share) Resolve(path string) (resolved string, info fs.FileInfo, err error) {
	if !storable(path) {
		return "", nil, &Error{Reason: fmt.Sprintf("The path %q is not valid UTF-8, which OMERO cannot store: rename it.", path)}
	}
	rel, err := s.Rel(path)
	if err != nil {
		return "", nil, err
	}
	found, err := filepath.EvalSymlinks(filepath.Join(s.target, rel))
	if err != nil {
		return "", nil, pathError(path, err)
	}
	rel, err = filepath.Rel(s.target, found)
	if err != nil || !filepath.IsLocal(rel) {
		return "", nil, &Error{Reason: fmt.Sprintf("The path %q is a link that leads outside %s.", path, s.dir)}
	}
	// Through the root: a link put there since then cannot lead out.
	info, err = s.Root().Stat(rel)
	if err != nil {
		return "", nil, pathError(path, err)
	}
	return filepath.Join(s.dir, rel), info, nil
}

// Check resolves path and makes sure that it can be imported: a regular file
// with content, or a folder, that this process may read.
func (s *Share) Check(path string) (resolved string, info fs.FileInfo, err error) {
	if resolved, info = s.plain(path); info != nil {
		return resolved, info, nil
	}
	resolved, info, err = s.Resolve(path)
	if err != nil {
		return "", nil, err
	}
	switch {
	case info.IsDir():
	case !info.Mode().IsRegular():
		return "", nil, &Error{Reason: fmt.Sprintf("%q is neither a file nor a folder.", path)}
	case info.Size() == 0:
		return "", nil, &Error{Reason: fmt.Sprintf("The file %q is empty.", path)}
	}
	rel, err := s.Rel(resolved)
	if err != nil {
		return "", nil, err
	}
	if err := readable(s.Root(), rel); err != nil {
		return "", nil, pathError(path, err)
	}
	return resolved, info, nil
}

// Glob lists what matches an absolute pattern (path.Match syntax) below the
// share, spelled as the pattern's folder is. A folder that cannot be listed
// counts as empty. It ends early with ctx.
func (s *Share) Glob(ctx context.Context, pattern string) ([]string, error) {
	rel, err := s.Rel(pattern)
	if err != nil {
		return nil, err
	}
	names := []string{"."}
	for part := range strings.SplitSeq(rel, "/") {
		var next []string
		for _, dir := range names {
			matches, err := s.matchIn(ctx, dir, part)
			if err != nil {
				return nil, fmt.Errorf("looking for %q: %w", pattern, err)
			}
			next = append(next, matches...)
		}
		names = next
	}
	for i, name := range names {
		names[i] = filepath.Join(s.dir, name)
	}
	return names, nil
}

// matchIn lists what in a folder matches one part of a pattern. It looks at ctx
// before each name: there can be very many, and a match can take long.
func (s *Share) matchIn(ctx context.Context, dir, part string) (matches []string, err error) {
	if !strings.ContainsAny(part, `*?[\`) {
		name := path.Join(dir, part)
		if _, err := s.Root().Stat(name); err != nil {
			return nil, nothing(err)
		}
		return []string{name}, ctx.Err()
	}
	// Whatever has a name that matched: opening a pipe would never end.
	folder, err := s.Root().OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nothing(err)
	}
	names, err := folder.Readdirnames(-1)
	if err = errors.Join(err, folder.Close()); err != nil {
		return nil, nothing(err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ok, err := path.Match(part, name)
		if err != nil {
			return nil, err
		}
		if ok {
			matches = append(matches, path.Join(dir, name))
		}
	}
	return matches, ctx.Err()
}

// nothing is nil for an error that says that no more is to be found.
func nothing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || IsUnusable(err) {
		return nil
	}
	return err
}

// Zarr reads the OME-Zarr folder at path and checks that a container of this
// type can hold it. An *Error says why it cannot be imported.
func (s *Share) Zarr(path string, into ContainerType) (Zarr, error) {
	rel, err := s.Rel(path)
	if err != nil {
		return Zarr{}, err
	}
	tree, err := fs.Sub(s.Root().FS(), rel)
	if err != nil {
		return Zarr{}, fmt.Errorf("opening %q: %w", path, err)
	}
	found, err := ReadZarr(tree)
	if fault, ok := errors.AsType[*Error](err); ok {
		return Zarr{}, &Error{Reason: fmt.Sprintf("%q cannot be imported. %s", path, fault.Reason), Err: fault.Err}
	}
	switch {
	case err != nil:
		return Zarr{}, fmt.Errorf("reading %q: %w", path, err)
	case found.Images > MaxImages:
		return Zarr{}, &Error{Reason: fmt.Sprintf("%q claims to hold %d images, more than %d.", path, found.Images, MaxImages)}
	case found.Plate && into != Screen:
		return Zarr{}, &Error{Reason: fmt.Sprintf("%q is a plate, which only a Screen can hold: choose a Screen.", path)}
	case !found.Plate && into != Dataset:
		return Zarr{}, &Error{Reason: fmt.Sprintf("%q is an image, which a Screen cannot hold: choose a Dataset.", path)}
	}
	return found, nil
}

// NoLinks makes sure that a folder which is linked as a whole holds no links
// itself: whoever reads it later would follow them anywhere. A link is an
// *Error.
func (s *Share) NoLinks(ctx context.Context, dir string) error {
	rel, err := s.Rel(dir)
	if err != nil {
		return err
	}
	return fs.WalkDir(s.Root().FS(), rel, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading the folder %q: %w", filepath.Join(s.dir, name), err)
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			return &Error{Reason: fmt.Sprintf("%q holds the link %q: an image that is imported in place must not.", dir, filepath.Join(s.dir, name))}
		}
		return ctx.Err()
	})
}

// pathError makes a sentence of what the filesystem said about path.
func pathError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Reason: fmt.Sprintf("There is no file or folder %q.", path), Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Reason: fmt.Sprintf("The importer may not read %q: change its permissions.", path), Err: err}
	case IsUnusable(err):
		return &Error{Reason: fmt.Sprintf("The path %q cannot be used: %v.", path, rootCause(err)), Err: err}
	}
	return fmt.Errorf("looking at %q: %w", path, err)
}

func rootCause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// storable is true of a name that stays what it is where it is kept as text.
func storable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsRune(name, utf8.RuneError)
}
