package preprocess

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errNoFolder says that a name is a link, or something else that is no folder.
var errNoFolder = errors.New("it is no folder")

// enter opens a folder within another one, unless it is a link.
func enter(in *os.Root, name string) (*os.Root, error) {
	before, err := in.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, &fs.PathError{Op: "enter", Path: filepath.Join(in.Name(), name), Err: errNoFolder}
	}
	dir, err := in.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := dir.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = &fs.PathError{Op: "enter", Path: filepath.Join(in.Name(), name), Err: errNoFolder}
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// enterAll opens a folder at a relative path, no part of which is a link.
func enterAll(in *os.Root, rel string) (*os.Root, error) { return descend(in, rel, enter) }

// makeAll makes the folders of a relative path where they are missing, and opens the last.
func makeAll(in *os.Root, rel string) (*os.Root, error) {
	return descend(in, rel, func(in *os.Root, name string) (*os.Root, error) {
		if err := makeFolder(in, name); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		return enter(in, name)
	})
}

// makeFolder makes one that others may look into, whatever the umask: OMERO reads what is
// in it as another user.
func makeFolder(in *os.Root, name string) error {
	err := in.Mkdir(name, 0o755)
	if err == nil {
		_ = in.Chmod(name, 0o755) // where there are modes
	}
	return err
}

// descend takes a step for each part of a relative path.
func descend(in *os.Root, rel string, step func(in *os.Root, name string) (*os.Root, error)) (*os.Root, error) {
	dir, err := in.OpenRoot(".")
	for part := range strings.SplitSeq(rel, "/") {
		if err != nil || part == "." {
			break
		}
		above := dir
		dir, err = step(above, part)
		_ = above.Close() // nothing was written
	}
	return dir, err
}

// leadsTo reports whether a path still leads to an open folder.
func leadsTo(path string, dir *os.Root) error {
	want, err := dir.Stat(".")
	if err != nil {
		return err
	}
	found, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(want, found) {
		return fmt.Errorf("%s is another folder than before", path)
	}
	return nil
}

// moveNew renames without replacing anything, in one step where the filesystem can do
// that. An fs.ErrExist says that the new name is taken. The mark is of this move alone;
// who repeats it gives the same.
func moveNew(from *os.Root, old string, to *os.Root, name, mark string) error {
	source, err := from.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := to.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	olddir, newdir := int(source.Fd()), int(target.Fd())
	err = unix.Renameat2(olddir, old, newdir, name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		err = moveReserved(from, old, to, name, mark, olddir, newdir)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(from.Name(), old), New: filepath.Join(to.Name(), name), Err: err}
	}
	return nil
}

// moveReserved does so in two steps: the name is taken by something that is then replaced.
// That is a file with the mark, or an empty folder: renaming a folder over one that has
// content fails by itself.
func moveReserved(from *os.Root, old string, to *os.Root, name, mark string, olddir, newdir int) error {
	info, err := from.Lstat(old)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = reserveFolder(to, name)
	} else {
		err = reserveFile(to, name, mark)
	}
	if err != nil {
		return err
	}
	err = unix.Renameat(olddir, old, newdir, name)
	if errors.Is(err, unix.ENOTEMPTY) {
		err = fs.ErrExist
	}
	return err
}

func reserveFolder(in *os.Root, name string) error {
	err := in.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if there, serr := in.Lstat(name); serr == nil && there.IsDir() {
			return nil
		}
	}
	return err
}

func reserveFile(in *os.Root, name, mark string) error {
	f, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) && isMarked(in, name, mark) {
		return nil // before a crash
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(mark)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, in.Remove(name))
	}
	return err
}

// isMarked reports whether a file is what reserveFile made with this mark.
func isMarked(in *os.Root, name, mark string) bool {
	info, err := in.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(mark)) {
		return false
	}
	f, err := in.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, info.Size()))
	return err == nil && string(text) == mark
}

// syncFolder makes what was renamed in a folder outlast a power cut, where it can.
func syncFolder(in *os.Root, name string) {
	if f, err := in.Open(name); err == nil {
		_ = f.Sync() // some filesystems cannot, and a crash only means that it is done again
		_ = f.Close()
	}
}
