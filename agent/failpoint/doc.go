// Package failpoint names the places where the program is killed by tests, to show
// that a crash there loses nothing and does nothing twice, or has to stand still.
package failpoint
