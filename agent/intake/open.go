package intake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// errLinked says that a folder is a link, or became another meanwhile.
var errLinked = errors.New("it is a link, or was replaced meanwhile")

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
	f, _, err := importer.OpenRegular(folder, base)
	if errors.Is(err, importer.ErrIrregular) {
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
