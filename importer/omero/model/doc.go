// Package model is what the parts of the OMERO backend say to each other: the objects of
// an OMERO server that they work with, and the classes of what can go wrong.
package model
