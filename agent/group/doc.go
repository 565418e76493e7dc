// Package group does together what is asked for one by one: while one lot is
// being done the next one gathers, as in a database's group commit. Where nothing
// waits, nothing is delayed.
package group
