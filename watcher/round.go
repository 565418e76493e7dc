package watcher

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// round is one look into a folder.
type round struct {
	*loop
	node            *node
	folder          *folder
	controls, files []string      // due now
	next, last      time.Duration // of the looks that files wait for
	control         time.Duration // of the looks that control files wait for
	room            int
	more            bool // than there is room for
	listing         bool // all of the folder is gone through
	held, freed     bool
}

// collect splits the folder's unsettled files into those that are due and those
// that go on waiting.
func (r *round) collect() error {
	n := r.node
	names, all := n.names, n.all
	n.names, n.all = nil, false
	if !all {
		for name := range names {
			r.sort(name)
		}
		slices.Sort(r.files) // sooner in the alphabet, sooner taken: expected by people
		return nil
	}
	r.listing = true
	err := r.folder.each(r.buf, func(raw []byte, dirent uint8) error {
		if dirent == unix.DT_REG || dirent == unix.DT_UNKNOWN {
			r.sort(string(raw))
		}
		return nil
	})
	if err != nil {
		n.all = true
		r.again(r.now() + retryAfter)
	}
	return err
}

func (r *round) sort(name string) {
	n := r.node
	k := n.kindOf(&r.match.ignore, name)
	if k != data && k != control {
		return
	}
	wait, needed, remembered := r.settler.due(n.key(r.seed, name), r.tick(), n.quiet(k))
	switch {
	case !remembered && r.listing:
		// Taken, or for a listing to find, which keeps to the limits of scans.
	case !remembered:
		// Taken, or not seen before: only a look tells, and makes it wait.
		in, err := r.folder.look(name)
		if err == nil && in.isFile() {
			_, known := r.saw(n, r.folder, name, k, &in, r.tick(), glanced)
			r.freed = (known && n.release(name)) || r.freed
		} else if gone(err) {
			r.freed = n.release(name) || r.freed
		}
	case !needed:
		// A control file is waited for as long as it is unsettled, no longer.
		r.freed = n.release(name) || r.freed
	case wait > 0:
		at := r.now() + millis(wait)
		if k == control {
			r.control = min(r.control, at)
		}
		r.keep(name, at)
	case k == control: // never for want of room: the files may be waiting for it
		r.controls = append(r.controls, name)
	case len(r.files) >= r.room:
		n.wait(name)
		r.more = true
	default:
		r.files = append(r.files, name)
	}
}

// keep makes a file wait for a later look.
func (r *round) keep(name string, at time.Duration) {
	r.node.wait(name)
	r.again(at)
}

func (r *round) again(at time.Duration) { r.next, r.last = min(r.next, at), max(r.last, at) }

// release hands over a file that is due, if a last look finds it unchanged and
// nothing holds it back.
func (r *round) release(name string, k kind) {
	n := r.node
	id := n.key(r.seed, name)
	in, err := r.folder.fresh(name, &n.fs)
	if err != nil || !in.isFile() {
		if err != nil && !gone(err) { // not there to see, but there
			r.keep(name, r.now()+retryAfter)
			return
		}
		r.settler.forget(id)
		r.freed = n.release(name) || r.freed
		return
	}
	digest, mark := in.digest(), n.markOf(name, k, &in)
	if k == data && n.known.has(mark) {
		r.settler.forget(id)
		r.freed = n.release(name) || r.freed
		return
	}
	v := r.settler.see(id, digest, r.tick(), n.quiet(k), glanced)
	switch {
	case v.waiting:
		if k == control {
			n.expect(name)
		}
		r.keep(name, r.now()+millis(v.wait))
		return
	case !v.settled:
		return
	case k == data && r.belongs(name, id):
		return
	case r.held && k == data:
		n.wait(name) // woken by the control file
		return
	case n.fs.local && r.folder.written(name):
		r.keep(name, r.now()+min(max(millis(n.quiet(k))/4, minBackoff), recheck))
		return
	}
	r.settler.take(id, digest)
	if k == control {
		r.freed = n.release(name) || r.freed
	}
	drop := n.drop(join(n.path, name), &in, k == control)
	drop.Mark = mark
	r.add(r.now(), item{node: n, name: name, key: id, digest: digest, drop: drop})
}

// belongs reports whether a settled file is, or may be, a companion in a unit.
func (r *round) belongs(name string, id uint64) bool {
	if r.units == 0 {
		return false
	}
	u, sure := r.node.partOf(name)
	switch {
	case u == nil:
		return false
	case sure:
		r.settler.forget(id)
	default: // woken when the unit knows
		if u.state != pending {
			r.disturb(u)
		}
		r.node.wait(name)
		r.loop.held[r.node] = struct{}{}
	}
	return true
}

// drop describes a settled file or folder of the node.
func (n *node) drop(path string, in *info, isControl bool) Drop {
	return Drop{
		Rule: n.place.rule.index, Path: path, Dir: n.place.dir, Captures: n.place.captures, Control: isControl,
		Size: in.size, ModTime: in.modTime(), Device: in.id.dev, Inode: in.id.ino,
	}
}
