// Package argparse reads arguments as Python's argparse does, which the omero
// command line uses: with abbreviations of long options, values after "=" or as
// the next argument, short options in one, and what it makes of positional
// arguments between options.
package argparse
