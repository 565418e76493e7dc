// Package spool holds lists of any length in little memory: what is beyond it goes into
// a file that has no name, so that nothing is left of it whatever happens.
package spool
