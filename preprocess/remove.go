package preprocess

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// removeTree removes what a converter made, or anything else of that name. It takes
// folders that nobody has the rights to change, as archives have them, and trees deeper
// than there are file descriptors.
func removeTree(in *os.Root, name string) error {
	for {
		var r remover
		err := r.remove(in, name, 0)
		if !errors.Is(err, unix.ENOTEMPTY) || !r.progress {
			return err
		}
	}
}

// remover goes through a tree once. It moves what is deep in it to its top, and some
// filesystems do not list everything while it becomes less.
type remover struct {
	top      *os.Root
	progress bool
}

func (r *remover) remove(in *os.Root, name string, nesting int) error {
	err := in.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		r.progress = true
		return nil
	}
	info, serr := in.Lstat(name)
	if serr != nil || !info.IsDir() {
		return err
	}
	_ = in.Chmod(name, 0o700) // of another user's it is seen below whether that was needed
	if nesting > maxNesting {
		return r.lift(in, name)
	}
	dir, err := enter(in, name)
	if err != nil {
		return ignoreMissing(err)
	}
	if nesting == 0 {
		r.top = dir
	}
	err = r.empty(dir, nesting)
	_ = dir.Close()
	if err != nil {
		return err
	}
	return ignoreMissing(in.Remove(name))
}

// lift moves a folder to the top.
func (r *remover) lift(in *os.Root, name string) error {
	r.progress = true
	from, err := in.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := r.top.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	err = unix.Renameat(int(from.Fd()), name, int(to.Fd()), uuid.NewString())
	if err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(in.Name(), name), New: r.top.Name(), Err: err}
	}
	return nil
}

// empty removes what is in a folder, however much that is.
func (r *remover) empty(dir *os.Root, nesting int) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var fault error // the first: there may be millions
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if err := r.remove(dir, name, nesting+1); err != nil && (fault == nil || errors.Is(fault, unix.ENOTEMPTY)) {
				fault = err
			}
		}
		if errors.Is(err, io.EOF) {
			return fault
		}
		if err != nil {
			return err
		}
	}
}
