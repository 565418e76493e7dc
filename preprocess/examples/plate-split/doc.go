// Command plate-split is a converter: it makes an OME-TIFF of each plate in a folder
// or an archive of well images, which are named by their wells.
package main
