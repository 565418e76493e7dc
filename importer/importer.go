package importer

import (
	"errors"
	"log/slog"
)

// ContainerType names what receives images: a Dataset takes single images, a
// Screen takes plates.
type ContainerType string

// The two container types of OMERO that an import can target.
const (
	Dataset ContainerType = "Dataset"
	Screen  ContainerType = "Screen"
)

// Container is a Dataset or Screen to be found by name, or else made.
type Container struct {
	Type    ContainerType
	Group   string
	User    string
	Project string // of a Dataset; may be empty
	Name    string
}

// Order is what a backend knows of an order: its files are imported as User of Group.
type Order struct {
	UUID      string // a repeated request with it imports nothing twice
	Round     int64  // changes when all of the order is to be imported anew
	Mark      string // what Prepare returned in this round first; empty if it did not yet
	Group     string
	User      string
	Type      ContainerType
	Container int64
	// Filesets and Images are those, in ascending order, that are recorded of other files of
	// the order.
	Filesets, Images []int64
}

// Request asks for files to be imported in place.
type Request struct {
	Order

	Files  []File
	Parent string // a folder that all files are in
	// Describe tells what is to be attached to all that comes of a file, by its place in
	// Files.
	Describe func(file int) ([]Pair, error)
	// Progress is told how many of the files are imported, now and then.
	Progress func(done int)
	Log      *slog.Logger // of the order
}

// File is a file or folder to be imported. Its paths are absolute and clean.
type File struct {
	// Path is where the data is for good: below the share, resolved and checked by the
	// caller.
	Path string
	// Copy, unless empty, holds the same for as long as it is there, and is read in place of
	// Path then. Links to it are made, and have to be redirected.
	Copy string
	Name string // of the image or plate; its base name if empty
}

// Pair is a key and its value, as they are attached to what an import makes.
type Pair struct{ Key, Value string }

// Result is what became of one file or folder of a request.
type Result struct {
	Filesets []int64
	Images   []int64
	Plates   []int64
	// Folders hold the links of what has a copy.
	Folders []string
	// Err says why it was not imported; nil otherwise. It is an *Error when
	// the cause is the file's own.
	Err error
}

// ErrUnavailable says that what a backend imports into does not answer. It says nothing
// of the request.
var ErrUnavailable = errors.New("the image database is not available")

// Error is a failure that repeating the request unchanged will not mend.
// Reason is one sentence for the person who asked.
type Error struct {
	Reason string
	Err    error
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
