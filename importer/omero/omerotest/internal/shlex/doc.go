// Package shlex splits lines as Python's shlex.split does.
package shlex
