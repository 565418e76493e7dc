package watcher

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// maxEvents are taken before files are looked at and folders listed.
	maxEvents = 4096
	// keepMoved is how long the second half of a rename is waited for.
	keepMoved = 10 * time.Second
	maxMoved  = 1024
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
		l.vanished(parent, ev.Name, name, ev.Has(fsnotify.Rename))
		return
	}
	if parent == nil || (l.match.ignore.base.match(name) && !parent.spells(name)) {
		return
	}
	if parent.leaf {
		l.disturb(parent.unit)
		return
	}
	why := glanced
	if ev.Has(fsnotify.Create) || ev.Has(fsnotify.Write) {
		why = touched
	}
	if old, ok := movedFrom(ev); ok {
		if _, unsettled := l.moved[old]; !unsettled {
			why = placed
		}
		delete(l.moved, old)
	}
	names := l.touches[parent]
	if names == nil {
		names = make(map[string]how, 1)
		l.touches[parent] = names
	}
	if why == placed || names[name] == glanced {
		names[name] = why
	} else if names[name] == placed && why == touched {
		names[name] = touched
	}
}

// vanished takes a path that was removed or renamed away.
func (l *loop) vanished(parent *node, path, name string, renamed bool) {
	unsettled := false
	if n := l.nodes[path]; n != nil {
		unsettled = l.dropTree(n)
	}
	if parent != nil {
		if why, ok := l.touches[parent][name]; ok {
			unsettled = unsettled || (why == touched && parent.counts(&l.match.ignore, name))
			delete(l.touches[parent], name)
		}
		unsettled = l.settler.forget(key(l.seed, parent.hash, name)) || unsettled
		delete(parent.names, name)
		if parent.release(name) {
			l.wake()
		}
		if parent.unit != nil && !l.match.ignore.base.match(name) {
			l.disturb(parent.unit)
		}
	}
	if renamed && unsettled {
		l.moved[path] = l.now()
	}
}

// flush looks at what the events spoke of.
func (l *loop) flush(ctx context.Context) {
	for n, names := range l.touches {
		delete(l.touches, n)
		if len(names) > 0 && !n.dead {
			l.visit(ctx, n, names)
		}
	}
	if len(l.moved) > maxMoved {
		now := l.now()
		for path, at := range l.moved {
			if now-at > keepMoved {
				delete(l.moved, path)
			}
		}
	}
}

func (l *loop) visit(ctx context.Context, n *node, names map[string]how) {
	f, err := openFolder(n.root, n.path)
	if err != nil {
		l.unreadable(ctx, n, err)
		return
	}
	defer f.close()
	for name, why := range names {
		in, err := f.look(name)
		if err != nil {
			continue // gone: its own event, or the next scan, takes note
		}
		child := n.children[name]
		if child != nil && (!in.isDir() || (child.id != fileID{} && child.id != in.id)) {
			l.dropTree(child)
		}
		switch {
		case in.isDir():
			l.subfolder(n, name, why)
		case in.isLink():
			l.noteLink(ctx, n, name)
		case in.isFile():
			l.touch(n, name, &in, why)
		}
	}
}

// touch takes a look at a file that an event spoke of.
func (l *loop) touch(n *node, name string, in *info, why how) {
	switch k := n.kindOf(&l.match.ignore, name); k {
	case part:
		l.disturb(n.unit)
	case data, control:
		l.saw(n, name, k, in, l.tick(), why)
	case nothing:
	}
}
