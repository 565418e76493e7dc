package watcher

import (
	"context"
	"hash/maphash"
	"time"

	"golang.org/x/sys/unix"
)

// walkJob asks for the measure of a unit.
type walkJob struct {
	unit *unit
	seq  uint64
	root string
	path string
	rule *rule
	all  bool // every file counts, not only what the rule's globs choose
}

type walkDone struct {
	walkJob
	measure
	took time.Duration
	err  error
}

// walker measures one unit at a time.
type walker struct {
	seed   maphash.Seed
	ignore *ignore
}

func (w *walker) run(ctx context.Context, jobs <-chan walkJob, done chan<- walkDone) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-jobs:
			start := time.Now()
			m, err := w.walk(ctx, &job)
			select {
			case <-ctx.Done():
				return
			case done <- walkDone{walkJob: job, measure: m, took: time.Since(start), err: err}:
			}
		}
	}
}

func (w *walker) walk(ctx context.Context, job *walkJob) (measure, error) {
	var m measure
	top, err := openFolder(job.root, job.path)
	if err != nil {
		return m, err
	}
	defer top.close()
	return m, w.descend(ctx, job, top, 0, &m)
}

// descend holds one descriptor and one list of sub-folders per level.
func (w *walker) descend(ctx context.Context, job *walkJob, f *folder, hash uint64, m *measure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var subs []string
	err := f.each(make([]byte, 32<<10), func(raw []byte, kind uint8) error {
		name := string(raw)
		if (kind != unix.DT_REG && kind != unix.DT_DIR && kind != unix.DT_UNKNOWN) || w.ignore.base.match(name) {
			return nil
		}
		if kind == unix.DT_DIR {
			subs = append(subs, name)
			return nil
		}
		in, err := f.look(name)
		switch {
		case gone(err):
		case err != nil:
			return err
		case in.isDir():
			subs = append(subs, name)
		case in.isFile() && (job.all || (job.rule.wants(name) && !job.rule.control.match(name))):
			m.add(in, maphash.Comparable(w.seed, [2]uint64{key(w.seed, hash, name), in.digest(w.seed)}))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range subs {
		if err := w.enter(ctx, job, f, name, key(w.seed, hash, name), m); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) enter(ctx context.Context, job *walkJob, f *folder, name string, hash uint64, m *measure) error {
	sub, err := f.sub(name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.close()
	return w.descend(ctx, job, sub, hash, m)
}

func (m *measure) add(in info, hash uint64) {
	m.digest += hash
	m.count++
	m.size += in.size
	if in.mod.Nano() > m.newest.Nano() {
		m.newest = in.mod
	}
}
