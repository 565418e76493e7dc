package watcher

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

// root is the literal prefix of one or more rules. It may come and go.
type root struct {
	path string
	node *node // nil while it is away
	told bool  // its absence was logged
}

// scan is the state of the full scans.
type scan struct {
	running  bool
	again    bool // start one as soon as none is running
	nextScan time.Duration
	nextPoll time.Duration
}

// pollRoots looks whether roots came, went, or were mounted over.
func (l *loop) pollRoots(ctx context.Context) {
	now := l.now()
	if now < l.nextPoll {
		return
	}
	l.nextPoll = now + l.rootPoll
	for _, r := range l.roots {
		var st unix.Stat_t
		_, err := retry(func() (int, error) { return 0, unix.Stat(r.path, &st) })
		in := infoOf(&st)
		here := err == nil && in.isDir()
		if r.node != nil && (!here || r.node.dead || r.node.id != in.id) {
			l.dropTree(r.node)
			r.node = nil
		}
		switch {
		case here && r.node == nil:
			r.node = &node{spot: l.match.root(r.path), path: r.path, root: r.path, id: in.id}
			l.adopt(r.node)
			l.list(r.node)
			if r.told {
				l.log.InfoContext(ctx, "folder is there", slog.String("folder", r.path))
			}
			r.told = false
		case !here && !r.told:
			r.told = true
			l.log.WarnContext(ctx, "folder is not there: waiting for it", slog.String("folder", r.path))
		}
	}
}

// adopt enters a new node.
func (l *loop) adopt(n *node) {
	n.queuer = -1
	n.hash = key(l.seed, 0, n.path)
	l.nodes[n.path] = n
}

// list puts a folder on the list of folders to be listed.
func (l *loop) list(n *node) {
	n.gen = l.settler.gen
	if !n.queued && !n.dead {
		n.queued = true
		l.lists = append(l.lists, n)
	}
}

// scanStep starts a full scan if one is due, or lists one folder.
func (l *loop) scanStep(ctx context.Context) {
	if !l.running && (l.again || l.now() >= l.nextScan) {
		if l.again || l.notify.fs == nil {
			if err := l.reopen(ctx); err != nil {
				l.log.WarnContext(ctx, "restarting file events", slog.Any("error", err))
			}
		}
		l.running, l.again = true, false
		l.settler.begin()
		for _, r := range l.roots {
			if r.node != nil {
				l.list(r.node)
			}
		}
	}
	if last := len(l.lists) - 1; last >= 0 {
		n := l.lists[last]
		l.lists[last] = nil
		l.lists = l.lists[:last]
		n.queued = false
		if !n.dead {
			l.read(ctx, n)
		}
	}
	if l.running && len(l.lists) == 0 {
		l.running = false
		l.sweep()
		l.nextScan = l.now() + l.rescan
	}
}

// reopen starts the events afresh; the scan adds the watches again.
func (l *loop) reopen(ctx context.Context) error {
	for _, n := range l.nodes {
		n.watched = false
	}
	return l.notify.reopen(ctx)
}

// sweep forgets what the finished scan did not meet.
func (l *loop) sweep() {
	for _, n := range l.nodes {
		if n.gen != l.settler.gen && !n.dead {
			l.dropTree(n)
		}
	}
	l.settler.sweep()
}

// read watches a folder, then lists it: what appears in between shows twice
// rather than never.
func (l *loop) read(ctx context.Context, n *node) {
	f, err := openFolder(n.root, n.path)
	if err != nil {
		l.unreadable(ctx, n, err)
		return
	}
	defer f.close()
	in, err := f.look("")
	if err != nil {
		l.unreadable(ctx, n, err)
		return
	}
	if in.id != n.id { // another folder took its place
		l.notify.remove(n)
		n.id = in.id
	}
	n.warned = false
	l.notify.add(ctx, n)
	if n.unit != nil && n.unit.top == n {
		l.verify(n.unit, f)
	}
	if n.leaf {
		return
	}
	now := l.tick()
	err = f.each(l.buf, func(raw []byte, dirent uint8) error {
		l.entry(ctx, n, f, string(raw), dirent, now)
		return ctx.Err()
	})
	if err != nil {
		l.unreadable(ctx, n, err)
	}
}

// entry takes one directory entry of a folder that is being listed.
func (l *loop) entry(ctx context.Context, n *node, f *folder, name string, dirent uint8, now tick) {
	var k kind
	switch dirent {
	case unix.DT_DIR:
		l.subfolder(n, name, glanced)
		return
	case unix.DT_REG:
		if k = n.kindOf(&l.match.ignore, name); k == nothing || k == part {
			return
		}
	case unix.DT_LNK:
		l.noteLink(ctx, n, name)
		return
	case unix.DT_UNKNOWN:
	default:
		return // a socket, a pipe or a device
	}
	in, err := f.look(name)
	switch {
	case err != nil: // gone already, or the next scan will tell
	case in.isDir():
		l.subfolder(n, name, glanced)
	case in.isLink():
		l.noteLink(ctx, n, name)
	case in.isFile():
		if k = n.kindOf(&l.match.ignore, name); k == data || k == control {
			l.saw(n, name, k, &in, now, glanced)
		}
	}
}

func (l *loop) noteLink(ctx context.Context, n *node, name string) {
	if !n.noted {
		n.noted = true
		l.log.DebugContext(ctx, "symbolic links are not followed", slog.String("folder", n.path), slog.String("first", name))
	}
}

// unreadable takes a folder that could not be read: it is gone, or denied.
func (l *loop) unreadable(ctx context.Context, n *node, err error) {
	if gone(err) {
		l.dropTree(n)
		return
	}
	if !n.warned && ctx.Err() == nil {
		n.warned = true
		l.log.WarnContext(ctx, "folder cannot be read: what is in it is not taken", slog.String("folder", n.path), slog.Any("error", err))
	}
}
