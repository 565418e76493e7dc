// Package repository is the backend for a machine without OMERO: it keeps a
// managed repository of its own, with OMERO's folder template, whose files are
// symlinks to the originals, and records containers, filesets, images and
// plates in a catalog.
package repository
