package intake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// errIrregular says that a name is no regular file's, but a link's or a pipe's.
var errIrregular = errors.New("it is no regular file")

// errLinked says that a folder is a link, or became another meanwhile.
var errLinked = errors.New("it is a link, or was replaced meanwhile")

// openRegular opens a regular file. The root keeps links from leading out, yet
// it follows those that stay inside: what is opened has to be what has the name.
func openRegular(root *os.Root, rel string) (*os.File, fs.FileInfo, error) {
	named, err := root.Lstat(rel)
	if err != nil {
		return nil, nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, nil, errIrregular
	}
	// Non-blocking: it may be a pipe by now.
	f, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(named, info) {
		err = fmt.Errorf("%s: it was replaced while it was opened", rel)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// openFolder opens a folder of the share. Down to top, which the settings spell
// out, it may lead through links; below that no component may be one, so that
// nobody who can write there can lead to what others own.
func openFolder(share *importer.Share, top, dir string) (*os.Root, error) {
	below, err := filepath.Rel(top, dir)
	if err != nil || !filepath.IsLocal(below) {
		top, below = dir, "."
	}
	rel, err := share.Rel(top)
	if err != nil {
		return nil, err
	}
	root, err := share.Root().OpenRoot(rel + "/") // a folder: opening a pipe would never end
	if err != nil {
		return nil, err
	}
	folder, err := descend(root, below)
	return folder, errors.Join(err, root.Close())
}

// descend opens the folder at rel through no link.
func descend(root *os.Root, rel string) (*os.Root, error) {
	at := root
	for name := range strings.SplitSeq(rel, "/") {
		next, err := enter(at, name)
		if at != root {
			err = errors.Join(err, at.Close())
		}
		if err != nil {
			return nil, fmt.Errorf("opening the folder %q: %w", rel, err)
		}
		at = next
	}
	return at, nil
}

// enter opens a folder that lies directly in another.
func enter(parent *os.Root, name string) (*os.Root, error) {
	named, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	folder, err := parent.OpenRoot(name + "/")
	if err != nil {
		return nil, err
	}
	// Had it followed a link, it would be another than what has the name.
	opened, err := folder.Stat(".")
	if err == nil && !os.SameFile(named, opened) {
		err = errLinked
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

// readOrderFile returns the content of a manifest or legacy order file, and what
// the file was after that. It opens nothing but a regular file.
func readOrderFile(folder *os.Root, base string) ([]byte, fs.FileInfo, error) {
	f, _, err := openRegular(folder, base)
	if errors.Is(err, errIrregular) {
		return nil, nil, order.Errorf(order.Invalid, "%s: %w.", base, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the manifest: %w", err)
	}
	defer func() { _ = f.Close() }()
	// One byte more than allowed tells the decoder that there is more.
	data, err := io.ReadAll(io.LimitReader(f, order.MaxManifestBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the manifest: %w", err)
	}
	info, err := f.Stat()
	return data, info, err
}

// isUnit reports whether a drop is several files: its size and time are then
// those of all of them.
func isUnit(d *watcher.Drop) bool { return d.IsDir || d.Shape != 0 }
