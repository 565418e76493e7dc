package watcher

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxStep is more entries than one step of a listing can have, as the buffer
// holds.
const maxStep = 4096

// reading is a folder that is being listed, a step at a time so that events are
// not kept waiting by a large one.
type reading struct {
	node   *node
	folder *folder
	met    []uint64 // marks of what is known to be taken
	mains  map[string]struct{}
	parts  bool
	marked bool // a done-marker is there

	entries []entry // of the step under way
}

// entry is a directory entry that is looked at.
type entry struct {
	name string
	kind kind
	info info
	err  error
}

// So many entries are looked at at a time: where the kernel answers, sharing them
// out costs more than it saves; a server takes its time.
const (
	localLooks  = 1
	remoteLooks = 8
	fewLooks    = 16 // are not worth sharing out
)

// glance looks at the entries.
func (r *reading) glance() {
	looks := localLooks
	if !r.node.fs.local {
		looks = remoteLooks
	}
	share := max((len(r.entries)+looks-1)/looks, fewLooks)
	var others sync.WaitGroup
	for rest := r.entries; len(rest) > 0; {
		part := rest[:min(share, len(rest))]
		rest = rest[len(part):]
		look := func() {
			for i := range part {
				part[i].info, part[i].err = r.folder.look(part[i].name)
			}
		}
		if len(rest) == 0 {
			look()
		} else {
			others.Go(look)
		}
	}
	others.Wait()
}

// meet lists a folder, unless it cannot have changed since it was listed.
func (l *loop) meet(ctx context.Context, n *node) {
	if n.dead {
		return
	}
	l.folders++
	if l.unchanged(n) {
		l.watch(ctx, n)
		for _, child := range n.children {
			l.list(child)
		}
		return
	}
	f, err := l.enter(ctx, n)
	if err != nil {
		n.firm = false // its files may be forgotten before it can be read
		l.unreadable(ctx, n, err)
		return
	}
	if n.unit != nil && n.unit.folder() == n {
		l.verify(n.unit, f)
	}
	if n.leaf {
		f.close()
		return
	}
	l.listings++
	n.stale = false // whatever is missed from here on sets it
	l.reading = &reading{node: n, folder: f, met: make([]uint64, 0, n.known.len()), mains: map[string]struct{}{}}
}

// unchanged reports whether the folder's times are enough to know that nothing
// came, went or was renamed in it.
func (l *loop) unchanged(n *node) bool {
	if l.full || !n.listed || n.stale || !n.firm {
		return false
	}
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Lstat(n.path, &st) }); err != nil {
		return false
	}
	in := infoOf(&st)
	return in.isDir() && in.id == n.id && in.times() == n.times
}

// enter opens a folder, notes what it is, and watches it before it is listed:
// what appears in between shows twice rather than never.
func (l *loop) enter(ctx context.Context, n *node) (*folder, error) {
	f, err := l.open(n.path)
	if err != nil {
		return nil, err
	}
	in, err := f.look("")
	if err != nil {
		f.close()
		return nil, err
	}
	if in.id != n.id { // another folder took its place
		l.notify.remove(n)
		n.id = in.id
	}
	n.warned = false
	if n.since == 0 {
		n.since = time.Now().UnixNano()
	}
	n.fs = f.filesystem()
	l.watch(ctx, n)
	now := l.now()
	if times := in.times(); times != n.times {
		n.times, n.timesAt = times, now
	}
	n.firm = n.fs.firm(n.times, n.timesAt, now, time.Now())
	return f, nil
}

// watch asks for events in the folder, where they are wanted.
func (l *loop) watch(ctx context.Context, n *node) {
	if n.listens() {
		l.notify.add(ctx, n)
	}
}

// listens reports whether events are asked for in the folder.
func (n *node) listens() bool {
	mode := ModeScan
	if n.place != nil {
		mode = n.place.rule.mode
	} else {
		for _, c := range n.cursors {
			if c.rule.mode == ModeAuto && mode == ModeScan {
				mode = ModeAuto
			} else if c.rule.mode == ModeEvents || c.rule.mode == ModeBoth {
				mode = ModeBoth
			}
		}
	}
	return mode != ModeScan && (mode != ModeAuto || n.fs.local)
}

// readOn goes on with the listing.
func (l *loop) readOn(ctx context.Context) {
	r := l.reading
	if r.node.dead {
		l.endReading()
		return
	}
	now := l.tick()
	r.entries = r.entries[:0]
	more, err := r.folder.some(l.buf, func(raw []byte, dirent uint8) error {
		l.sift(ctx, r, string(raw), dirent)
		return ctx.Err()
	})
	r.glance()
	for i := range r.entries {
		l.entry(ctx, r, &r.entries[i], now)
	}
	if looked := len(r.entries); looked > 0 {
		l.files += looked
		l.scanFree = l.now() + l.limit.ReserveN(time.Now(), looked).Delay()
	}
	switch {
	case err != nil:
		l.endReading()
		l.doubt(r.node)
		l.unreadable(ctx, r.node, err)
	case !more:
		l.finishReading(r)
	}
}

func (l *loop) endReading() {
	if l.reading != nil {
		l.reading.folder.close()
		l.reading = nil
	}
}

// finishReading takes what only a whole listing tells.
func (l *loop) finishReading(r *reading) {
	n := r.node
	n.listed, n.parts = true, r.parts
	if met, all := n.unitMarks(r.met); all && !n.stale {
		n.known.keep(met)
	}
	freed := false
	for name := range n.control { // what went away without an event
		if _, err := r.folder.look(name); gone(err) {
			freed = n.release(name) || freed
		}
	}
	if freed {
		l.wake()
	}
	if r.marked {
		l.hurryMarked(n, r.folder)
	}
	l.endReading()
	doubted := n.stale // what could not be looked at may be there
	for name, u := range n.units {
		if _, ok := r.mains[name]; !ok && !doubted {
			l.endUnit(n, u)
		} else if l.full || !n.watched {
			l.verify(u, nil)
		}
	}
}

// sift takes a directory entry of a folder that is being listed as far as its type
// and name tell, and notes those that have to be looked at.
func (l *loop) sift(ctx context.Context, r *reading, name string, dirent uint8) {
	n := r.node
	switch dirent {
	case unix.DT_DIR:
		l.subfolder(ctx, n, name, glanced)
		return
	case unix.DT_LNK:
		l.noteLink(ctx, n, name)
		return
	case unix.DT_REG, unix.DT_UNKNOWN:
	default:
		return // a socket, a pipe or a device
	}
	k := n.kindOf(&l.match.ignore, name)
	if dirent == unix.DT_REG && (k == nothing || k == part) {
		r.parts = r.parts || n.isSlide(name)
		return
	}
	if !l.isCompanion(n, name, k) {
		r.entries = append(r.entries, entry{name: name, kind: k})
	}
}

// isCompanion reports whether a file is certain to be a companion in a unit.
func (l *loop) isCompanion(n *node, name string, k kind) bool {
	if k != data || l.units == 0 {
		return false
	}
	u, sure := n.partOf(name)
	return u != nil && sure
}

// entry takes one that was looked at.
func (l *loop) entry(ctx context.Context, r *reading, e *entry, now tick) {
	n, f, name, in := r.node, r.folder, e.name, &e.info
	k := e.kind
	if k == mainly { // unless there are too many by now
		k = n.kindOf(&l.match.ignore, name)
	}
	switch {
	case gone(e.err):
	case e.err != nil:
		l.doubt(n)
	case in.isDir():
		l.subfolder(ctx, n, name, glanced)
	case in.isLink():
		l.noteLink(ctx, n, name)
	case !in.isFile():
	case k == done:
		r.marked = true
	case k == mainly:
		r.mains[name] = struct{}{}
		l.mainSeen(n, name, in, glanced)
	case l.isCompanion(n, name, k): // of what was met only just before
	case k == data || k == control:
		if mark, known := l.saw(n, f, name, k, in, now, glanced); known {
			r.met = append(r.met, mark)
		}
	default:
		r.parts = r.parts || n.isSlide(name)
	}
}

// isSlide reports by the name of one of its files whether the folder holds the
// parts of a slide, see slideIndex.
func (n *node) isSlide(name string) bool {
	return n.place != nil && n.place.rule.unit == Auto && !n.place.rule.controlOnly && lower(name) == slideIndex
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
		if n.parent != nil { // or only for a moment, as when one above it is moved and back
			l.doubt(n.parent)
		}
		l.dropTree(n)
		return
	}
	if !n.warned && ctx.Err() == nil {
		n.warned = true
		l.log.WarnContext(ctx, "folder cannot be read: what is in it is not taken", slog.String("folder", n.path), slog.Any("error", err))
	}
}

// doubt has the next pass list a folder, whatever its times say: something in it
// may have been missed.
func (l *loop) doubt(n *node) {
	n.stale = true
	l.nextScan = min(l.nextScan, max(l.now()+blindInterval, l.rested))
}
