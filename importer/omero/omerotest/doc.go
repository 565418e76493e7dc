// Package omerotest is a pretended OMERO server for tests.
package omerotest
