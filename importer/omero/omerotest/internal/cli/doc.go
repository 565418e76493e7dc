// Package cli is the pretended omero command line. It does what omero-py 5.22
// and the importer of omero-blitz 5.8 do, as contracts/omero.md and their sources
// tell, with their texts and exit statuses.
package cli
