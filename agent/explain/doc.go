// Package explain says what would become of files where they lie, and why, without
// doing it: by what the watcher, the intake, the share and the database say of them.
package explain
