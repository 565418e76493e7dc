package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular says that a name is no regular file's, but a link's or a pipe's.
var ErrIrregular = errors.New("it is no regular file")

// OpenRegular opens a regular file. The root keeps links from leading out, yet
// it follows those that stay inside: what is opened has to be what has the name.
func OpenRegular(root *os.Root, rel string) (*os.File, fs.FileInfo, error) {
	named, err := root.Lstat(rel)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	if !named.Mode().IsRegular() {
		return nil, nil, ErrIrregular
	}
	// Non-blocking: it may be a pipe by now.
	f, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
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
