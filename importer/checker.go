package importer

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Checker looks at many paths. Of those in one folder that follow each other, only the
// first two have all their folders looked at: that folder stays open for the others.
type Checker struct {
	share  *Share
	folder string   // of the last path
	open   *os.Root // that folder, once it had a second path; nil where it cannot be opened
	tried  bool
	found  string // where it really is
}

// Checker returns a checker, which is to be closed.
func (s *Share) Checker() *Checker { return &Checker{share: s} }

// Close releases the last folder.
func (c *Checker) Close() {
	if c.open != nil {
		_ = c.open.Close() // nothing was written
	}
	*c = Checker{share: c.share}
}

// Resolve is Share.Resolve.
func (c *Checker) Resolve(path string) (resolved string, info fs.FileInfo, err error) {
	if name, info := c.near(path); info != nil {
		return filepath.Join(c.found, name), info, nil
	}
	return c.share.Resolve(path)
}

// Check is Share.Check, which tells of everything that is no plain file.
func (c *Checker) Check(path string) (resolved string, info fs.FileInfo, err error) {
	if name, info := c.near(path); info != nil && info.Mode().IsRegular() && info.Size() > 0 && readable(c.open, name) == nil {
		return filepath.Join(c.found, name), info, nil
	}
	return c.share.Check(path)
}

// near looks into the open folder. The result is nil where it does not hold path, or
// holds it as a link.
func (c *Checker) near(path string) (name string, info fs.FileInfo) {
	folder, name := filepath.Split(path)
	if folder != c.folder {
		c.Close()
		c.folder = folder
		return "", nil
	}
	if !c.tried {
		c.tried = true
		c.enter()
	}
	if c.open == nil || name == "" || name == "." || name == ".." || !storable(name) {
		return "", nil
	}
	info, err := c.open.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return "", nil
	}
	return name, info
}

// enter opens the folder where it can be opened.
func (c *Checker) enter() {
	found, _, err := c.share.Resolve(c.folder)
	if err != nil {
		return
	}
	rel, err := c.share.Rel(found)
	if err != nil {
		return
	}
	if open, err := c.share.Root().OpenRoot(rel); err == nil {
		c.found, c.open = found, open
	}
}

// readable opens a file and closes it. Non-blocking: what was a file a moment ago may
// be a pipe by now.
func readable(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
