// Package initial makes a settings file to begin with: the documented one, with what a
// site answered in it.
package initial
