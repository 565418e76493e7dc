// Package watcher turns a filesystem into settled drops: it finds what people
// put into watched folders and hands it over once it has stopped changing. It
// knows nothing of orders, databases or OMERO.
//
// # Events and passes
//
// Events are hints and the scan is the truth. An inotify event only makes the
// watcher look sooner; every decision rests on what a look at the file itself
// has shown. A pass over all folders finds what no event announced, and one
// follows at once when the kernel dropped events.
//
// What can be relied on depends on the filesystem, see [filesystem]. Where it is
// local, events tell of every change; shares are only scanned. Where a folder's
// times change with its entries, a pass costs one look at a folder that has not
// changed; all files are looked at by a full pass only, or where those times mean
// nothing. A folder's times count once no later change can leave them as they are.
//
// A folder is watched first and listed afterwards, so that nothing can appear
// between the two. Folders are read through descriptors that refuse symbolic
// links, and only regular files are ever looked at.
//
// # Settled
//
// A file is settled when what shows of it (size, times, inode) has stayed the
// same for the rule's quiet time by the watcher's own monotonic clock; the file
// server's clock plays no part. It is settled at once when it was moved here from
// a name under which it was no drop nor part of one, or when its done-marker is
// there and not older. It is never settled while a local process has it open
// for writing, where that shows.
//
// # Units
//
// A unit is several files that are one drop: a .zarr folder, a folder under a
// rule that takes folders whole, or the main file of a [format] with its
// companions. It is settled when two walks through it, a quiet time apart, find
// the same. While much is being copied into a folder its [trail] shows that, and
// spares the walks. Inside .zarr folders and folders of companions nothing is
// watched. A .zarr folder that was handed over is not walked again before its
// top or the metadata there changes: it may hold millions of chunks. A main file
// waits for companions that it cannot be without.
//
// # Memory
//
// Of what was handed over, eight bytes a file are remembered, in the folder: its
// mark. The marks of earlier runs are asked of the [Sink] before a folder is first
// listed, so that a restart offers only what is new. Unsettled files take a few
// times as much, and their number is bounded, but for control files. The sink is what makes a drop count
// once: marks may be lost, and then it is offered again.
//
// # Looking in
//
// Loops put up figures at each round, and answer questions between two of them, so
// that looking in takes no lock and waits for no filesystem: see [Watcher.State],
// [Watcher.Settling] and [Watcher.Stuck]. An [Observer] is told of what is counted.
//
// # Flow
//
// Each root, the literal prefix of rules, has a loop, which is one goroutine that
// owns all state: a filesystem that hangs stops nobody else's. Beside each run the
// delivery (so that a slow sink does not stop the events from being read), the
// questions to the sink, the walks through units, and the reader of event errors.
//
//	fsnotify ─┐
//	pass ─────┼→ loop: node (folder) → settler (unsettled files) → batch → Sink
//	walk ─────┘
package watcher
