package watcher

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// walkJob asks for the measure of a unit.
type walkJob struct {
	unit *unit
	seq  uint64
	root anchor
	path string // of the folder that is the unit, or that its main file lies in

	main   string
	stem   string
	format *format
	rule   *rule
	spot   *spot // of the folder at path
	zarr   bool
	trail  trail
	early  bool // go no further than the trail, where that tells enough
	glance bool // go no further than the trail
}

// walkDone is what a walk found.
type walkDone struct {
	walkJob
	measure
	id      fileID // of the folder, or the main file
	surface uint64
	moved   bool      // the trail showed a change, and the walk was spared
	latest  time.Time // of the changes of files and folders, by this machine's clock; zero where a server has its own
	began   time.Time
	members map[string]bool
	missing string // what the unit cannot be without
	broken  bool   // the list of its members could not be read to its end
	written bool   // the file that changed last is open for writing
	marked  bool   // its done-marker is there
	samples samples
	took    time.Duration
	err     error
}

// walker measures one unit at a time.
type walker struct {
	match *matcher
	limit *rate.Limiter
}

func (w *walker) run(ctx context.Context, jobs <-chan walkJob, results chan<- walkDone) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-jobs:
			done := walkDone{walkJob: job, began: time.Now()}
			done.err = w.walk(ctx, &done)
			done.took = time.Since(done.began)
			select {
			case <-ctx.Done():
				return
			case results <- done:
			}
		}
	}
}

func (w *walker) walk(ctx context.Context, d *walkDone) error {
	top, err := openFolder(d.root, d.path)
	if err != nil {
		return err
	}
	defer top.close()
	v := &visit{walker: w, walkDone: d, fs: top.filesystem()}
	done, marked := v.markedSince(top)
	if d.main == "" {
		in, err := top.look("")
		if err != nil {
			return err
		}
		d.id = in.id
		buf := make([]byte, 32<<10)
		trail, same := d.trail.follow(top, buf)
		d.moved = len(d.trail) > 0 && !same && (!marked || done < trail.newest())
		d.trail = trail
		if d.early = d.early && same && v.fs.local; d.moved || d.early || d.glance {
			return nil
		}
		v.changed(&in)
		if d.zarr {
			d.surface = shallow(top, filepath.Base(d.path), v.fs)
		}
		if err := v.descend(ctx, top, ""); err != nil {
			return err
		}
	} else if err := v.members(ctx, top); err != nil {
		return err
	}
	// Units that are alike in one folder differ by their names.
	name := xxhash.Sum64String(cmp.Or(d.main, filepath.Base(d.path)))
	d.mark = max(mix(d.mark, name), 1)
	if v.fs.local && d.main == "" && !v.foreign {
		d.latest = time.Unix(0, v.touch)
		if d.latest.Nanosecond() == 0 { // of a filesystem that counts in seconds
			d.latest = d.latest.Add(time.Second)
		}
	}
	d.written = v.fs.local && v.last != "" && top.written(v.last)
	// One that came during the walk says nothing of what was looked at before.
	again, there := v.markedSince(top)
	d.marked = d.count > 0 && marked && there && again == done && done >= v.change
	return nil
}

// visit is one walk under way.
type visit struct {
	*walker
	*walkDone
	fs    filesystem
	last  string // path of the file that changed last, below the top
	touch int64  // the newest change of a file or folder, ns by the file server
	depth int

	foreign bool // something else is mounted inside
}

// maxDepth bounds the descriptors that a walk holds.
const maxDepth = 64

// look is a fresh look: a measure is compared with another one.
func (v *visit) look(f *folder, name string) (info, error) { return f.fresh(name, &v.fs) }

// passes reports whether an entry of this name is no part of any unit.
func (v *visit) passes(name string) bool {
	if _, ok := v.rule.marker.about(name); ok {
		return true
	}
	return v.match.ignore.base.match(name)
}

// markedSince is when the unit's done-marker, which lies beside it, changed last.
func (v *visit) markedSince(top *folder) (at int64, ok bool) {
	if v.rule.marker == nil {
		return 0, false
	}
	if v.main != "" {
		return v.rule.marker.since(top, v.main)
	}
	dir, base := split(v.path)
	up, err := openFolder(v.root, dir)
	if err != nil {
		return 0, false
	}
	defer up.close()
	return v.rule.marker.since(up, base)
}

// descend measures all below a folder. It holds one descriptor and one list of
// sub-folders per level.
func (v *visit) descend(ctx context.Context, f *folder, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var subs []string
	buf := make([]byte, 32<<10)
	for more := true; more; {
		looked := 0
		var err error
		more, err = f.some(buf, func(raw []byte, kind uint8) error {
			if (kind != unix.DT_REG && kind != unix.DT_DIR && kind != unix.DT_UNKNOWN) || v.passes(string(raw)) {
				return nil
			}
			name := string(raw)
			if kind == unix.DT_DIR {
				subs = append(subs, name)
				return nil
			}
			looked++
			in, err := v.look(f, name)
			switch {
			case gone(err):
			case err != nil:
				return err
			case in.isDir():
				subs = append(subs, name)
			case in.isFile() && (v.rule.unit != Folder || (v.rule.wants(name) && !v.rule.control.match(name))):
				v.add(path, name, &in)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := v.limit.WaitN(ctx, looked); err != nil {
			return fmt.Errorf("measuring %q: %w", f.path, err)
		}
	}
	for _, name := range subs {
		if err := v.enter(ctx, f, path, name); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) enter(ctx context.Context, f *folder, path, name string) error {
	if f.path == v.path && !v.match.within(v.spot, join(f.path, name)) {
		return nil // its drops are their own
	}
	sub, err := f.sub(name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.close()
	in, err := sub.look("")
	if err != nil {
		return err
	}
	v.changed(&in)
	v.foreign = v.foreign || in.id.dev != v.id.dev
	if v.depth++; v.depth > maxDepth {
		return fmt.Errorf("%q is more than %d folders deep in a unit: %w", sub.path, maxDepth, unix.ENAMETOOLONG)
	}
	defer func() { v.depth-- }()
	return v.descend(ctx, sub, path+name+"/")
}

// add counts a file in. The path is of its folder, with a slash behind, below
// the top.
func (v *visit) add(path, name string, in *info) {
	at := xxhash.Sum64String(path + name)
	shape := mix(at, uint64(in.size)) //nolint:gosec // only the bits matter
	v.digest += mix(at, in.digest())
	v.mark += mix(shape, uint64(in.mod.Nano())) //nolint:gosec // only the bits matter
	v.shape += shape
	v.count++
	v.size += in.size
	if in.mod.Nano() > v.newest.Nano() {
		v.newest = in.mod
	}
	if c := in.change.Nano(); c >= v.change {
		v.change, v.last = c, path+name
	}
	v.changed(in)
	v.samples.add(at, path, name)
}

func (v *visit) changed(in *info) { v.touch = max(v.touch, in.change.Nano()) }
