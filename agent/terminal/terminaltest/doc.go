// Package terminaltest gives a test a terminal.
package terminaltest
