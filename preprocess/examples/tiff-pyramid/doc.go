// Command tiff-pyramid is a converter: it makes a tiled, pyramidal OME-TIFF of any
// baseline TIFF or BigTIFF, of which it never holds more than some rows.
package main
