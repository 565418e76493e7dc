// Package importer holds what an in-place import asks for and gives back, what a
// path on the share may be, and what a table of metadata says. Its sub-packages
// are the backends that carry imports out.
package importer
