// Package submit places orders of manifests and paths that somebody hands in, by command
// line or over HTTP, with the checks that dropped ones go through.
package submit
