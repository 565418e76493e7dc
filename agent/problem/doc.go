// Package problem answers HTTP requests that cannot be carried out, as RFC 9457 has it.
package problem
