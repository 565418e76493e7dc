// Package terminal draws what is under way on a terminal.
package terminal
