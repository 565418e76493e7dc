package watcher

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// maxEvents are taken before files are looked at and folders listed.
	maxEvents = 4096
	// strayTime is how long after a folder was forgotten with unsettled files what
	// appears elsewhere may be one of these.
	strayTime = 10 * time.Second
)

// drain takes the events that are there.
func (l *loop) drain(ctx context.Context) {
	for range maxEvents {
		select {
		case ev, ok := <-l.notify.events:
			if !ok {
				return
			}
			l.event(ctx, ev)
		default:
			return
		}
	}
}

// event notes what an event says. The looks it calls for come later, once for
// all events on a file.
func (l *loop) event(_ context.Context, ev fsnotify.Event) {
	dir, name := split(ev.Name)
	parent := l.nodes[dir]
	if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
		l.vanished(parent, ev.Name, name)
		return
	}
	if parent == nil || (l.match.ignore.base.match(name) && !parent.spells(name) && !parent.isMarker(name)) {
		return
	}
	if parent.leaf {
		l.disturb(parent.unit)
		return
	}
	why := glanced
	switch {
	case ev.Has(fsnotify.Write):
		why = touched
	case ev.Has(fsnotify.Create):
		why = created
	}
	if old, ok := movedFrom(ev); ok {
		why = l.renamedFrom(old)
	}
	names := l.touches[parent]
	if names == nil {
		names = make(map[string]how, 1)
		l.touches[parent] = names
	}
	if names[name] == touched && why == created {
		return // written to, whichever came first
	}
	names[name] = names[name].then(why)
}

// renamedFrom is what a renaming from that path tells. It goes by the names alone:
// what is known of a file may be forgotten before the event comes, or never was
// known, so that what could be in the making under a name is not complete by
// leaving it.
func (l *loop) renamedFrom(path string) how {
	dir, name := split(path)
	n := l.nodes[dir]
	switch {
	case n == nil, n.leaf, n.kindOf(&l.match.ignore, name) != nothing: // without the folder nobody can say
		return touched
	case l.folderIn(n, name) != nil:
		return renamed
	default:
		return placed
	}
}

// vanished takes a path that was removed or renamed away.
func (l *loop) vanished(parent *node, path, name string) {
	if n := l.nodes[path]; n != nil {
		if l.dropTree(n) && l.settler.crowded() {
			l.sweepSoon()
		}
	}
	if parent != nil {
		delete(l.touches[parent], name)
		l.settler.forget(parent.key(l.seed, name))
		if u := parent.units[name]; u != nil {
			l.endUnit(parent, u)
		} else if l.units > 0 && !parent.isMarker(name) {
			if u, sure := parent.partOf(name); u != nil {
				l.concern(u, sure)
			}
		}
		delete(parent.names, name)
		if parent.release(name) {
			l.wake()
		}
		if parent.unit != nil && !l.match.ignore.base.match(name) && !parent.isMarker(name) {
			l.disturb(parent.unit)
		}
	}
}

// flush looks at what the events spoke of. Done-markers come last: what they are
// about was written before them, wherever that lies.
func (l *loop) flush(ctx context.Context) {
	markers := map[*node]map[string]how{}
	for n, names := range l.touches {
		if n.place != nil && n.unit == nil && !n.ready && !n.dead {
			if len(names) > maxNames { // its listing will find them
				delete(l.touches, n)
			}
			continue
		}
		delete(l.touches, n)
		if n.dead {
			continue
		}
		if marks := n.takeMarkers(names); len(marks) > 0 {
			markers[n] = marks
		}
		if len(names) > 0 {
			l.visit(ctx, n, names)
		}
	}
	for n, names := range markers {
		if !n.dead {
			l.visit(ctx, n, names)
		}
	}
}

// takeMarkers moves the done-markers out of names.
func (n *node) takeMarkers(names map[string]how) map[string]how {
	var markers map[string]how
	for name, why := range names {
		if !n.isMarker(name) {
			continue
		}
		if markers == nil {
			markers = make(map[string]how, 1)
		}
		markers[name] = why
		delete(names, name)
	}
	return markers
}

func (l *loop) visit(ctx context.Context, n *node, names map[string]how) {
	f, err := l.open(n.path)
	if err != nil {
		l.doubt(n)
		l.unreadable(ctx, n, err)
		return
	}
	defer f.close()
	for name, why := range names {
		in, err := f.look(name)
		if gone(err) {
			continue // its own event takes note
		}
		if err != nil {
			l.doubt(n)
			continue
		}
		switch {
		case why == created && (in.links == 1 || in.isDir()) && l.movedIn(n, f, name), why == renamed && !in.isDir():
			why = placed
		case why == created, why == renamed:
			why = touched
		}
		child := n.children[name]
		if child != nil && (!in.isDir() || (child.id != fileID{} && child.id != in.id)) {
			l.dropTree(child)
		}
		switch {
		case in.isDir():
			l.subfolder(ctx, n, name, why)
		case in.isLink():
			l.noteLink(ctx, n, name)
		case in.isFile():
			l.touch(n, f, name, &in, why)
		}
	}
}

// touch takes a look at a file that an event spoke of.
func (l *loop) touch(n *node, f *folder, name string, in *info, why how) {
	k := n.kindOf(&l.match.ignore, name)
	if k == data && l.units > 0 {
		if u, sure := n.partOf(name); u != nil {
			l.concern(u, sure)
			if sure {
				return
			}
		}
	}
	switch k {
	case part:
		l.disturb(n.unit)
	case mainly:
		l.mainSeen(n, name, in, why)
	case done:
		about, _ := n.place.rule.marker.about(name)
		l.markSeen(n, f, about)
	case data, control:
		l.saw(n, f, name, k, in, l.tick(), why)
	case nothing:
		n.parts = n.parts || n.isSlide(name)
	}
}

// movedIn reports whether what appeared in the folder, under no other name, had
// been made where nobody watches: before the folder was watched, or it would have
// been met then. Until all was met once, and while something unsettled may be astray,
// it may come from a folder of ours.
func (l *loop) movedIn(n *node, f *folder, name string) bool {
	if !n.fs.local || n.since == 0 || !l.scanned || l.now() < l.astray {
		return false
	}
	if _, _, remembered := l.settler.due(n.key(l.seed, name), l.tick(), 0); remembered {
		return false
	}
	born, ok := f.born(name)
	return ok && born.Nano()+int64(granule) < n.since
}
