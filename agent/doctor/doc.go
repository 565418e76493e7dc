// Package doctor has the checks of what the service needs of its machine. Each is a
// function that says what it found, and what to do where that is wrong.
package doctor
