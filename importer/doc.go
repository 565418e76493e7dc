// Package importer holds what an in-place import asks for and gives back, and
// what a path on the share may be. Its sub-packages are the backends that
// carry imports out.
package importer
