package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Redirect re-points every link below root that leads to a From of moves, or into it, to
// the same place of its To; root is the folder of a fileset in OMERO's managed
// repository. Each link is replaced at once, by one that was checked to lead to a
// non-empty file or a folder. It may be repeated, and stops at the first link that
// cannot be redirected, with those before it done; an *Error if its target is missing.
// It returns how many links it re-pointed.
func Redirect(ctx context.Context, root string, moves []Move) (int, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return 0, fmt.Errorf("redirecting the links below %s: %w", root, err)
	}
	defer func() { _ = dir.Close() }()
	known := places(moves)
	done := 0
	folders := map[string]bool{} // with links
	err = fs.WalkDir(dir.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		folders[path.Dir(name)] = true
		changed, err := redirect(dir, name, known)
		if changed {
			done++
		}
		return err
	})
	// Also of links that were re-pointed before: what they led to is removed next.
	for folder := range folders {
		syncFolder(dir, folder)
	}
	if err != nil {
		if fault, ok := errors.AsType[*Error](err); ok {
			return done, fault
		}
		return done, fmt.Errorf("redirecting the links below %s: %w", root, err)
	}
	return done, nil
}

// beside is the name of a link that is about to replace another one in its folder, whose
// name may be as long as can be.
const beside = ".redirected"

func redirect(dir *os.Root, name string, moves map[string]string) (bool, error) {
	if path.Base(name) == beside {
		// A crash left it; the link that it was to replace is redirected anew.
		return false, ignoreMissing(dir.Remove(name))
	}
	old, err := dir.Readlink(name)
	if err != nil {
		return false, ignoreMissing(err)
	}
	if !filepath.IsAbs(old) {
		old = filepath.Join(dir.Name(), filepath.Dir(name), old)
	}
	to, concerned := target(filepath.Clean(old), moves)
	if found, err := filepath.EvalSymlinks(old); err == nil && !concerned {
		to, concerned = target(found, moves)
	}
	if !concerned {
		return false, nil
	}
	if to == "" {
		return false, &Error{Reason: fmt.Sprintf("The image uses %s, which the converter left only as a temporary copy: it has to leave it in both folders.", old)}
	}
	made := path.Join(path.Dir(name), beside)
	if err := ignoreMissing(dir.Remove(made)); err != nil {
		return false, err
	}
	// Looked at as OMERO will: by the path in the link.
	info, err := os.Stat(to)
	if err == nil && !info.IsDir() && (!info.Mode().IsRegular() || info.Size() == 0) {
		err = errors.New("it is no file with content")
	}
	if err != nil {
		return false, &Error{Reason: fmt.Sprintf("The image cannot be linked to %s, where its data has to stay: %v.", to, err), Err: err}
	}
	if err := dir.Symlink(to, made); err != nil {
		return false, err
	}
	if err := dir.Rename(made, name); err != nil {
		return false, err
	}
	now, err := dir.Readlink(name)
	if err != nil || now != to {
		return false, fmt.Errorf("the link %s leads to %q instead of %q: %w", name, now, to, errors.Join(err, fs.ErrInvalid))
	}
	return true, nil
}

// ignoreMissing is nil for what is gone already, as one that is replaced anew is.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// places are what moves say, by their From, which is also named as it is without links.
func places(moves []Move) map[string]string {
	all := map[string]string{}
	for _, move := range moves {
		all[move.From] = move.To
		if found, err := filepath.EvalSymlinks(move.From); err == nil {
			all[found] = move.To
		}
	}
	return all
}

// target is where a link that one of the moves concerns is to lead, and empty if nowhere.
// The deepest From that holds what it led to decides.
func target(old string, moves map[string]string) (to string, concerned bool) {
	for from := old; ; from = filepath.Dir(from) {
		if to, concerned = moves[from]; concerned && to != "" {
			return filepath.Join(to, strings.TrimPrefix(old, from)), true
		}
		if concerned || from == filepath.Dir(from) {
			return "", concerned
		}
	}
}
