package watcher

// subfolder enters a folder that was found in n, or meets it again, and puts it
// on the list.
func (l *loop) subfolder(n *node, name string, why how) {
	if old := n.children[name]; old != nil {
		l.list(old)
		return
	}
	sp, ok := l.match.child(&n.spot, name)
	if !ok || n.leaf {
		return
	}
	child := &node{spot: sp, path: join(n.path, name), root: n.root, parent: n}
	if !l.assign(n, child, name) {
		return
	}
	if n.children == nil {
		n.children = make(map[string]*node, 1)
	}
	n.children[name] = child
	l.adopt(child)
	switch u := child.unit; {
	case u == nil:
	case u.top == child: // made here; its first measure is taken at once
		now := l.now()
		u.disturb(now)
		u.placed, u.next = why == placed, now
		l.queue.schedule(child, now)
	case why != glanced: // what a scan finds is in the unit's measure anyway
		l.disturb(u)
	}
	l.list(child)
}

// assign gives a new folder its unit, and is false for a folder that holds
// nothing to find.
func (l *loop) assign(parent, child *node, name string) bool {
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
		child.unit, child.leaf = &unit{top: child}, zarr
	case zarr && p.rule.unit == Auto:
		if !p.rule.wants(name) {
			return false
		}
		child.unit, child.leaf = &unit{top: child}, true
	}
	return true
}

// spells reports whether a rule spells out the folder name below n.
func (n *node) spells(name string) bool {
	for _, c := range n.cursors {
		if comp := &c.rule.comps[len(n.comps)]; comp.isLiteral() && comp.literal == name {
			return true
		}
	}
	return false
}

// dropTree forgets a folder and all below it, and reports whether anything in
// it was unsettled. Stamps of its files stay until the next full scan, so that
// a folder that comes back is not offered again.
func (l *loop) dropTree(n *node) (unsettled bool) {
	if n.dead {
		return false
	}
	for _, child := range n.children {
		unsettled = l.dropTree(child) || unsettled
	}
	unsettled = unsettled || n.waits() || (n.unit != nil && n.unit.top == n && n.unit.state == pending)
	if n.parent != nil {
		_, name := split(n.path)
		delete(n.parent.children, name)
	}
	released := false
	for name := range n.control {
		released = n.release(name) || released
	}
	l.notify.remove(n)
	l.queue.remove(n)
	delete(l.nodes, n.path)
	delete(l.held, n)
	delete(l.touches, n)
	n.dead = true
	if released {
		l.wake()
	}
	return unsettled
}

// holds reports whether an unsettled control file holds back what is in n.
func (n *node) holds() bool {
	for p := n; p != nil; p = p.parent {
		if len(p.control) > 0 {
			return true
		}
	}
	return n.unit != nil && n.unit.top == n && n.unit.controls > 0
}

// wake makes everything that a control file held back due.
func (l *loop) wake() {
	now := l.now()
	for n := range l.held {
		delete(l.held, n)
		l.queue.schedule(n, now)
	}
}
