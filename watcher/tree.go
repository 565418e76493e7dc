package watcher

import (
	"context"
	"hash/maphash"
)

// adopt enters a new node.
func (l *loop) adopt(n *node) {
	n.queuer = -1
	n.hash = maphash.String(l.seed, n.path)
	if n.place != nil {
		n.owner = maphash.String(l.seed, n.place.dir) &^ (1<<(64-ownerBits) - 1)
	}
	l.nodes[n.path] = n
}

// subfolder enters a folder that was found in n, or meets it again, and puts it
// on the list.
func (l *loop) subfolder(ctx context.Context, n *node, name string, why how) {
	if n.leaf {
		return
	}
	old := n.children[name]
	path := join(n.path, name)
	if u, sure := n.claimant(lower(name), true); u != nil && l.match.within(&n.spot, path) {
		if why != glanced {
			l.concern(u, sure)
		}
		if sure {
			if old != nil {
				l.dropTree(old)
			}
			return
		}
	}
	if old != nil {
		l.list(old)
		return
	}
	child := l.folderIn(n, name)
	if child == nil {
		return
	}
	if n.children == nil {
		n.children = make(map[string]*node, 1)
	}
	n.children[name] = child
	l.adopt(child)
	switch u := child.unit; {
	case u == nil:
	case u.home == child:
		u.disturb(l.now())
		u.placed, u.idle = why == placed, true // until it is opened
	case why != glanced: // what a scan finds is in the unit's measure anyway
		l.disturb(u)
	}
	if why != glanced {
		l.watch(ctx, child) // at once: more is about to happen in it
	}
	l.list(child)
}

// folderIn makes a node for a folder of this name in n, which is yet to be entered;
// nil where such a folder holds nothing to find.
func (w *Watcher) folderIn(n *node, name string) *node {
	path := join(n.path, name)
	sp, ok := w.match.child(&n.spot, path)
	if !ok {
		return nil
	}
	child := &node{spot: sp, path: path, parent: n, fs: n.fs}
	if !assign(n, child, name) {
		return nil
	}
	return child
}

// assign gives a new folder its unit, and is false for a folder that holds
// nothing to find.
func assign(parent, child *node, name string) bool {
	p := child.place
	if p == nil {
		return !isZarr(name) || parent.spells(name)
	}
	zarr := isZarr(name) && p.rule.unit != File && !parent.spells(name)
	switch {
	case p.rule.controlOnly:
		return !zarr
	case parent.unit != nil && parent.place == p:
		child.unit, child.leaf = parent.unit, zarr
		return true
	case p.rule.unit == Folder && parent.place == p && parent.path == p.dir:
		child.unit, child.leaf = &unit{home: child}, zarr
	case zarr && p.rule.unit == Auto:
		if !p.rule.wants(name) {
			return false
		}
		child.unit, child.leaf = &unit{home: child}, true
	}
	return true
}

// dropTree forgets a folder and all below it, and reports whether anything in
// it was unsettled, as far as that is known. Its watch ends, so that what is moved
// out of it meanwhile appears elsewhere without its old name.
func (l *loop) dropTree(n *node) (unsettled bool) {
	if n.dead {
		return false
	}
	for _, child := range n.children {
		unsettled = l.dropTree(child) || unsettled
	}
	unsettled = unsettled || n.waits() || n.starved || len(l.touches[n]) > 0 || (n.unit != nil && n.unit.state == pending)
	for _, u := range n.units {
		unsettled = unsettled || u.state == pending
	}
	l.units -= len(n.units)
	if n.parent != nil {
		delete(n.parent.children, n.name())
	}
	released := false
	for name := range n.control {
		released = n.release(name) || released
	}
	l.notify.remove(n)
	l.queue.remove(n)
	n.gathered()
	delete(l.nodes, n.path)
	delete(l.held, n)
	delete(l.touches, n)
	n.dead = true
	if unsettled {
		l.astray = l.now() + strayTime
	}
	if released {
		l.wake()
	}
	return unsettled
}

// wake makes everything that a control file or a unit held back due.
func (l *loop) wake() {
	now := l.now()
	for n := range l.held {
		delete(l.held, n)
		l.queue.schedule(n, now)
	}
}
