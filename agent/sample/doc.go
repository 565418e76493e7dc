// Package sample writes small microscopy images with valid pixel data: 16-bit
// OME-TIFF, OME-Zarr images and OME-Zarr plates whose pixels look like a
// fluorescence camera's. The demo, the tests and the benchmarks import them.
// The same Stack gives the same bytes, always.
package sample
