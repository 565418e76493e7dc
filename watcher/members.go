package watcher

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// members measures a main file with its companions.
func (v *visit) members(ctx context.Context, top *folder) error {
	in, err := v.look(top, v.main)
	if gone(err) || (err == nil && !in.isFile()) {
		return nil
	}
	if err != nil {
		return err
	}
	v.id = in.id
	var listed map[string]struct{}
	if v.format.listed {
		listed, v.broken, err = companionFiles(top, v.main)
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	names, err := v.companions(ctx, top, listed)
	if err != nil {
		return err
	}
	v.add("", v.main, &in)
	files := 0
	for i, name := range names {
		if i%maxStep == 0 {
			if err := v.limit.WaitN(ctx, min(maxStep, len(names)-i)); err != nil {
				return fmt.Errorf("measuring %q: %w", top.path, err)
			}
		}
		in, err := v.look(top, name)
		switch {
		case gone(err):
			continue
		case err != nil:
			return err
		case in.isFile():
			v.add("", name, &in)
		case in.isDir():
			err = v.enter(ctx, top, "", name)
		}
		if err != nil {
			return err
		}
		files = v.count - 1
	}
	if files == 0 && v.missing == "" && !v.broken {
		v.missing = "the files that belong to it"
	}
	return nil
}

// companions lists the names beside the main file that belong to it, those that
// it lists itself if it does.
func (v *visit) companions(ctx context.Context, top *folder, listed map[string]struct{}) ([]string, error) {
	if !v.format.exact() {
		v.walkDone.members = map[string]bool{}
		for low := range listed {
			v.walkDone.members[low] = true
		}
	}
	if v.format.only != nil { // the folder may hold thousands of others
		name := v.format.only(v.main)
		if in, err := top.look(name); err == nil && in.isDir() && !v.match.ignore.base.match(name) {
			return []string{name}, nil
		}
	}
	absent := maps.Clone(listed)
	var names []string
	err := top.each(make([]byte, 32<<10), func(raw []byte, kind uint8) error {
		name := string(raw)
		low := lower(name)
		dir := kind == unix.DT_DIR
		if name == v.main || v.passes(name) {
			return ctx.Err()
		}
		if kind != unix.DT_REG && kind != unix.DT_DIR {
			in, err := top.look(name)
			if err != nil || (!in.isFile() && !in.isDir()) {
				return nil //nolint:nilerr // gone, or nothing that counts
			}
			dir = in.isDir()
		}
		test := v.format.file
		if dir {
			test = v.format.folder
		}
		if test == nil || !test(v.stem, low) {
			return ctx.Err()
		}
		_, ours := listed[low]
		if !v.format.listed {
			ours = !dir || v.format.inside == nil || low == v.stem || low == "metadata" || v.holds(ctx, top, name, 0)
		}
		if !v.format.exact() {
			v.walkDone.members[low] = ours
		}
		if !ours {
			return nil
		}
		delete(absent, low)
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if first, missing := firstOf(absent); missing {
		v.missing = fmt.Sprintf("%q", first)
		if len(absent) > 1 {
			v.missing += fmt.Sprintf(" and %d more files", len(absent)-1)
		}
	}
	slices.Sort(names)
	return names, nil
}

// holds reports whether the folder has a file inside that makes it a companion.
func (v *visit) holds(ctx context.Context, f *folder, name string, depth int) bool {
	const deepest = 4
	sub, err := f.sub(name)
	if err != nil {
		return false
	}
	defer sub.close()
	if v.limit.Wait(ctx) != nil {
		return false
	}
	found := false
	var subs []string
	_ = sub.each(make([]byte, 32<<10), func(raw []byte, kind uint8) error {
		found = found || v.format.inside(lower(string(raw)))
		if kind == unix.DT_DIR {
			subs = append(subs, string(raw))
		}
		return nil
	})
	for _, s := range subs {
		if found || depth == deepest {
			break
		}
		found = v.holds(ctx, sub, s, depth+1)
	}
	return found
}

func firstOf(set map[string]struct{}) (first string, found bool) {
	if len(set) == 0 {
		return "", false
	}
	return slices.Min(slices.Collect(maps.Keys(set))), true
}
