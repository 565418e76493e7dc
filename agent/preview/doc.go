// Package preview makes small pictures of TIFF files and OME-Zarr images, lazily, and
// keeps them in a folder of bounded size.
//
// The files were written by others: what is read of one, in bytes, pixels and time, is
// bounded, it is read below the share only, and one at a time.
package preview
