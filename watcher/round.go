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
	controls, files []string // due now
	next            time.Duration
	room            int
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
	k := r.node.kindOf(&r.match.ignore, name)
	if k != data && k != control {
		return
	}
	wait, needed := r.settler.due(key(r.seed, r.node.hash, name), r.tick(), r.node.quiet(k))
	switch {
	case !needed:
		// A control file is waited for as long as it is unsettled, no longer.
		r.freed = r.node.release(name) || r.freed
	case wait > 0:
		r.keep(name, r.now()+millis(wait))
	case k == control: // never for want of room: the files may be waiting for it
		r.controls = append(r.controls, name)
	case len(r.files) >= r.room:
		r.keep(name, r.now())
	default:
		r.files = append(r.files, name)
	}
}

// keep makes a file wait for a later look.
func (r *round) keep(name string, at time.Duration) {
	r.node.wait(name)
	r.again(at)
}

func (r *round) again(at time.Duration) { r.next = min(r.next, at) }

// release hands over a file that is due, if a last look finds it unchanged and
// nothing holds it back.
func (r *round) release(name string, k kind) {
	n := r.node
	in, err := r.folder.look(name)
	if err != nil || !in.isFile() {
		if err != nil && !gone(err) { // not there to see, but there
			r.keep(name, r.now()+retryAfter)
			return
		}
		r.settler.forget(key(r.seed, n.hash, name))
		r.freed = n.release(name) || r.freed
		return
	}
	id := key(r.seed, n.hash, name)
	digest := in.digest(r.seed)
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
	case r.held && k == data:
		n.wait(name) // woken by the control file
		return
	}
	r.settler.take(id, digest)
	if k == control {
		r.freed = n.release(name) || r.freed
	}
	r.add(r.now(), item{node: n, name: name, key: id, digest: digest, drop: n.drop(join(n.path, name), &in, k == control)})
}

// drop describes a settled file or folder of the node.
func (n *node) drop(path string, in *info, isControl bool) Drop {
	return Drop{
		Rule: n.place.rule.index, Path: path, Dir: n.place.dir, Captures: n.place.captures, Control: isControl,
		Size: in.size, ModTime: in.modTime(), Device: in.id.dev, Inode: in.id.ino,
	}
}
