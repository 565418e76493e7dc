// Package sample writes real little microscopy images, with pixels as noisy as
// a camera's, for the demo, the tests and the benchmarks.
package sample
