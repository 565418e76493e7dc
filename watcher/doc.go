// Package watcher turns a filesystem into settled drops: it finds what people
// put into watched folders and hands it over once it has stopped changing. It
// knows nothing of orders, databases or OMERO.
//
// # Model
//
// Events are hints and the scan is the truth. An inotify event only makes the
// watcher look sooner; every decision rests on what a look at the file itself
// has shown. Everything is found by a scan at the start, by one every
// [Options.Rescan], and by one at once when the kernel dropped events.
//
// A folder is watched first and listed afterwards, so that nothing can appear
// between the two. Folders are read through descriptors that refuse symbolic
// links, and only regular files are ever looked at; nothing is opened but folders.
//
// A file is settled when its size, modification time and inode have stayed the
// same for the rule's quiet time by the watcher's own monotonic clock; the file
// server's clock plays no part. Whatever was moved into place from a name that
// was not itself being watched as unfinished is settled at once.
//
// A folder unit is settled when two walks through it, a quiet time apart, find
// the same files. A .zarr folder that was handed over is not walked again before
// its top or the metadata there changes: it may hold millions of chunks.
//
// What has been handed over is remembered as one fixed-size stamp per path, in
// memory only. A restart therefore offers everything again, and the [Sink] is
// what makes a drop count once.
//
// # Flow
//
// One goroutine, the loop, owns all state. Beside it run the delivery (so that
// a slow sink does not stop the events from being read), the walk that measures
// folder units, and the reader of event errors. None exists per file or folder.
//
//	fsnotify ─┐
//	scan ─────┼→ loop: node (folder) → settler (stamp per file) → batch → Sink
//	walk ─────┘
package watcher
