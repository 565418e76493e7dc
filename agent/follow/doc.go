// Package follow tells of each change of orders as it comes, by looking once a second, and
// through times when the database does not answer.
package follow
