// Package converter is what converters have in common: the command line that the
// importer calls them with, the files that appear only once they are complete, and
// the answer on standard output.
package converter
