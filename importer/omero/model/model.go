package model

import "biomero-importer/importer"

// ObjectType names what an import makes, as OMERO spells it.
type ObjectType string

// The two types of objects that are annotated and named.
const (
	Image ObjectType = "Image"
	Plate ObjectType = "Plate"
)

// Object is one image or plate.
type Object struct {
	Type ObjectType
	ID   int64
}

// Container is a Dataset or Screen as a member of a group sees it.
type Container struct {
	Type    importer.ContainerType
	ID      int64
	Name    string
	Owner   string // omeName
	Group   string // name
	CanLink bool   // the member may put images or plates into it
}

// Annotation is one map annotation that several objects share.
type Annotation struct {
	Namespace string
	Order     string          // UUID, by which one is found again that hangs on nothing yet
	Pairs     []importer.Pair // in this order; keys may repeat
	Objects   []Object
}

// Naming gives an object a name.
type Naming struct {
	Object Object
	Name   string
}

// Repository is a folder that the server keeps files in.
type Repository struct {
	Path string // as the server has it
	UUID string
}
