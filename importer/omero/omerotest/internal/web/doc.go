// Package web is the pretended OMERO.web: what the program uses of omero-web
// 5.31, as contracts/omero.md and its sources tell.
package web
