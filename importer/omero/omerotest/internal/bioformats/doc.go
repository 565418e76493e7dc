// Package bioformats stands in for Bio-Formats: it says what files are, how many
// images they hold, and which belong together. It judges by content where it
// can; see doc.go of package omerotest for the conventions.
package bioformats
