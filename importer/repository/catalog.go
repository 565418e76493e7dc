package repository

import (
	"context"
	"errors"

	"biomero-importer/importer"
)

// Source is something to be imported as one fileset: a file, or an OME-Zarr
// folder.
type Source struct {
	Path   string   // the original, absolute
	Link   string   // where its link goes, below the import's prefix
	Images []string // names
	Plates []string // names
}

// Fileset is a source once the catalog knows it.
type Fileset struct {
	Source string // Source.Path
	ID     int64
	Images []int64
	Plates []int64
	Link   string // below the repository, prefix included
}

// Import is one folder of links in the making.
type Import struct {
	Order     string
	Round     int64
	User      string
	UserID    int64 // in whose name the prefix is made
	Group     string
	Type      importer.ContainerType
	Container int64
	Prefix    string
	Sources   []Source
}

// ErrPrefixTaken says that another import has the prefix, or that the user has
// another id than it is made with.
var ErrPrefixTaken = errors.New("another import or user has this prefix")

// Catalog keeps the repository's records, for good once a method returns.
type Catalog interface {
	// User returns the id of the user of this name, the same at each call unless the
	// catalog lost what it last held.
	User(ctx context.Context, name string) (int64, error)
	// Container finds a container by its names, or makes it.
	Container(ctx context.Context, c importer.Container) (int64, error)
	// Record makes filesets of an import's sources, and returns one per
	// source. Those that the same order recorded before come back as they
	// were, if round, user, group and container are the same. ErrPrefixTaken: nothing was recorded.
	Record(ctx context.Context, i Import) ([]Fileset, error)
	// Links are those of an order's filesets, below the repository.
	Links(ctx context.Context, order string) ([]string, error)
}
