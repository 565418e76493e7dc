// Package cli asks an OMERO server by its command line.
package cli
