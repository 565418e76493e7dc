// Package omero imports into an OMERO server: in place, as the order's own user, a batch of
// files at a time, and never twice.
//
// What an order made is known again after a crash by the highest id of a fileset before it
// (the mark), by its user and container, and by the paths that OMERO keeps of its files.
package omero
