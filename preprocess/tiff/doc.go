// Package tiff reads the rows of TIFF and BigTIFF pages, and writes BigTIFF or
// TIFF files of tiled pages with smaller versions of themselves.
//
// It never holds a page: what is read comes row by row, what is written goes tile
// by tile. What it reads may be hostile: nothing is allocated before the file is
// seen to be large enough for it, and no part of a file counts twice.
package tiff
