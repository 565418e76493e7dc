package watcher

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// trail leads from the top of a large folder to the one in it that changed last.
// As long as something is copied into the folder, that shows on the trail, in a
// handful of looks: no walk is needed to see that it goes on.
type trail []step

type step struct {
	path          string // below the top; "" is the top
	times         [2]int64
	entries, size uint64
}

// maxTrail bounds the levels that a trail goes down.
const maxTrail = 12

// follow returns the trail as it is now, and whether it is as it was.
func (t trail) follow(top *folder, buf []byte) (now trail, same bool) {
	for i, s := range t {
		if at, ok := top.step(s.path); !ok || at != s {
			return t[:i].extend(top, buf), false
		}
	}
	if len(t) == 0 {
		return t.extend(top, buf), false
	}
	return t, true
}

// extend goes on from the last good step to whatever changed last there.
func (t trail) extend(top *folder, buf []byte) trail {
	t = slices.Clone(t)
	path := ""
	if len(t) > 0 {
		path = t[len(t)-1].path // its newest entry may be another by now
		t = t[:len(t)-1]
	}
	for len(t) < maxTrail {
		s, ok := top.step(path)
		if !ok {
			return t
		}
		t = append(t, s)
		// Where folders count their sub-folders, two links mean none.
		if s.entries == 2 {
			return t
		}
		if path = top.newestBelow(path, buf); path == "" {
			return t
		}
	}
	return t
}

// newest is the last change of a folder on the trail, ns by the file server's clock.
func (t trail) newest() (at int64) {
	for _, s := range t {
		at = max(at, s.times[1])
	}
	return at
}

func (f *folder) step(path string) (step, bool) {
	in, err := f.look(path)
	if err != nil || !in.isDir() {
		return step{}, false
	}
	return step{
		path: path, times: in.times(), entries: in.links, size: uint64(in.size), //nolint:gosec // only compared
	}, true
}

// newestBelow is the path of the folder in path that changed last, "" for none.
func (f *folder) newestBelow(path string, buf []byte) string {
	sub, err := f.sub(cmp.Or(path, ".")) // opened anew: f itself is yet to be read
	if err != nil {
		return ""
	}
	defer sub.close()
	newest, latest := "", int64(0)
	_ = sub.each(buf, func(raw []byte, kind uint8) error {
		if kind != unix.DT_DIR && kind != unix.DT_UNKNOWN {
			return nil
		}
		in, err := sub.look(string(raw))
		if err == nil && in.isDir() && in.change.Nano() >= latest {
			newest, latest = string(raw), in.change.Nano()
		}
		return nil
	})
	if newest == "" || path == "" {
		return newest
	}
	return join(path, newest)
}
