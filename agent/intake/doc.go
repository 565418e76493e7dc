// Package intake turns what the watcher found into orders: data files by their
// rule, manifests and legacy order files by what they say. It records every
// drop, takes none twice, and tells its author beside the file what became of
// it.
package intake
