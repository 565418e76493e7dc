// Package ome says in OME-XML, of the schema 2016-06, what the planes of a file
// are, and reads what the texts of other TIFF files say of theirs.
package ome
