// Package logging makes the program's logs: for people on a terminal, as JSON
// lines otherwise, and one log per order. Passwords are masked in all of them.
package logging
