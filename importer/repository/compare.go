package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"syscall"

	"biomero-importer/importer"
)

// Row is a fileset's link as the catalog has it.
type Row struct {
	Fileset   int64
	Order     string
	Link      string // below the repository
	Source    string
	Imported  bool // a file of its order refers to it: the link was made before that was recorded
	Forgotten bool // nobody knows any more what became of its order
}

// FaultKind says how a link and the catalog disagree.
type FaultKind string

// The kinds of faults.
const (
	LinkMissing    FaultKind = "missing"    // an imported fileset has no link
	LinkForgotten  FaultKind = "forgotten"  // a fileset has no link, and nobody knows whether it should
	LinkElsewhere  FaultKind = "elsewhere"  // what is there leads not to the fileset's source
	LinkShared     FaultKind = "shared"     // two filesets have the same link
	LinkUnrecorded FaultKind = "unrecorded" // no row had the link when it was looked for
	NoLink         FaultKind = "stray"      // something that no import makes
	Leftover       FaultKind = "leftover"   // a file that clients of network filesystems leave anywhere
)

// Fault is a place where the repository's folder and the catalog disagree.
type Fault struct {
	Kind FaultKind
	Link string
	Row  Row    // of the fileset; empty where there is none
	Is   string // what is there instead
}

// Compare walks the repository below dir beside the catalog's rows, which have to be
// sorted by the parts of their links, byte by byte, and hands found what disagrees.
// It changes nothing and holds one folder's names at a time. Imports may go on:
// rows come before links, so that a link without one has to be looked for once
// more.
func Compare(ctx context.Context, dir string, rows iter.Seq2[Row, error], found func(Fault) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening the repository %s: %w", dir, err)
	}
	defer func() { _ = root.Close() }()
	next, stop := iter.Pull2(rows)
	defer stop()
	c := &comparison{root: root, next: next, found: found}
	if err := c.advance(); err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist) && name != ".":
			return nil // somebody removed it just now
		case name == lostFound && entry.IsDir():
			return fs.SkipDir
		case err != nil:
			return fmt.Errorf("reading the repository's folder %s: %w", name, err)
		case entry.IsDir():
			return nil
		}
		return c.entry(name, entry)
	})
	if err != nil {
		return err
	}
	return c.passUntil(func(string) bool { return false })
}

// lostFound is in every folder that a filesystem of its own is mounted at.
const lostFound = "lost+found"

// isLeftover reports whether NFS, SMB, macOS or Windows leave files of such a name.
func isLeftover(base string) bool {
	for _, begin := range []string{".nfs", ".smbdelete", "._"} {
		if strings.HasPrefix(base, begin) {
			return true
		}
	}
	return base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db")
}

// comparison is a walk in progress.
type comparison struct {
	root  *os.Root
	next  func() (Row, error, bool)
	row   Row // the next one
	more  bool
	found func(Fault) error
}

func (c *comparison) advance() error {
	last, follows := c.row.Link, c.more
	var err error
	if c.row, err, c.more = c.next(); err != nil {
		return err
	}
	if c.more && follows && c.row.Link == last {
		return c.found(Fault{Kind: LinkShared, Link: c.row.Link, Row: c.row})
	}
	return nil
}

// passUntil looks for the rows' links that the walk did not come by, up to the row
// for which stop holds.
func (c *comparison) passUntil(stop func(link string) bool) error {
	for c.more && !stop(c.row.Link) {
		if err := c.check(); err != nil {
			return err
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// entry is what the walk comes by.
func (c *comparison) entry(name string, entry fs.DirEntry) error {
	if err := c.passUntil(func(link string) bool { return !before(link, name) }); err != nil {
		return err
	}
	recorded := c.more && c.row.Link == name
	switch {
	case entry.Type().IsRegular() && !recorded && isLeftover(entry.Name()):
		return c.found(Fault{Kind: Leftover, Link: name})
	case entry.Type() != fs.ModeSymlink && (!recorded || !c.row.Imported):
		if err := c.found(Fault{Kind: NoLink, Link: name, Is: entry.Type().String()}); err != nil {
			return err
		}
	case !recorded:
		return c.found(Fault{Kind: LinkUnrecorded, Link: name})
	}
	return c.passUntil(func(link string) bool { return link != name })
}

// check looks at the link of the next row.
func (c *comparison) check() error {
	target, err := c.root.Readlink(c.row.Link)
	fault := Fault{Link: c.row.Link, Row: c.row, Is: target}
	switch {
	case err == nil && target == c.row.Source:
		return nil
	case !c.row.Imported && !c.row.Forgotten:
		return nil // it is about to be made, or could not be
	case err == nil:
		fault.Kind = LinkElsewhere
	case errors.Is(err, syscall.EINVAL):
		fault.Kind = LinkElsewhere
		fault.Is = "no link"
	case !errors.Is(err, fs.ErrNotExist) && !importer.IsUnusable(err):
		return fmt.Errorf("reading the link %s: %w", c.row.Link, err)
	case c.row.Forgotten:
		fault.Kind = LinkForgotten
	default:
		fault.Kind = LinkMissing
	}
	return c.found(fault)
}

// before reports whether a walk comes by a before b.
func before(a, b string) bool {
	for {
		partA, restA, moreA := strings.Cut(a, "/")
		partB, restB, moreB := strings.Cut(b, "/")
		if partA != partB {
			return partA < partB
		}
		if !moreA || !moreB {
			return moreB && !moreA
		}
		a, b = restA, restB
	}
}
