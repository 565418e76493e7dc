package bioformats

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Problem is a file that is no candidate.
type Problem struct {
	Path string
	Err  error
}

// Counts reports whether the importer counts it as an error. It does not count
// files that are missing, unreadable or of an unknown format, which is why they
// and a corrupt file end differently (contract, the table of exits).
func (p Problem) Counts() bool { return errors.Is(p.Err, ErrCorrupt) }

// Found is what the paths of an import turn out to be.
type Found struct {
	Candidates []*Candidate
	Problems   []Problem

	depth int
	seen  map[string]bool // files that belong to a candidate
}

// Find looks at all paths, folders down to a depth, and puts together what
// belongs together whichever path came first.
func Find(paths []string, depth int) *Found {
	f := &Found{depth: depth, seen: map[string]bool{}}
	for _, path := range paths {
		path = absolute(path)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			f.walk(path, 0)
		} else {
			f.file(path)
		}
	}
	f.group()
	return f
}

// absolute is Java's: links and ".." stay as they are.
func absolute(path string) string {
	if !filepath.IsAbs(path) {
		if dir, err := os.Getwd(); err == nil {
			path = dir + "/" + path
		}
	}
	components := slices.DeleteFunc(strings.Split(path, "/"), func(c string) bool { return c == "" })
	return "/" + strings.Join(components, "/")
}

// walk goes down into a folder. Files whose names begin with a dot are left out,
// so that a Zarr is only found if the depth reaches one of its chunks.
func (f *Found) walk(dir string, depth int) {
	if depth++; depth > f.depth {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			f.walk(path, depth)
		} else if !errors.Is(err, fs.ErrNotExist) {
			f.file(path)
		}
	}
}

func (f *Found) file(path string) {
	if strings.HasPrefix(filepath.Base(path), ".") || f.seen[path] {
		return
	}
	c, err := judge(path)
	if err != nil {
		f.Problems = append(f.Problems, Problem{path, err})
		return
	}
	for _, used := range c.Used {
		f.seen[used] = true
	}
	f.Candidates = append(f.Candidates, c)
}

// group drops a file that is a candidate of its own but belongs to another one.
func (f *Found) group() {
	users := map[string]int{}
	for _, c := range f.Candidates {
		for _, used := range c.Used {
			users[used]++
		}
	}
	f.Candidates = slices.DeleteFunc(f.Candidates, func(c *Candidate) bool {
		return len(c.Used) == 1 && users[c.File] > 1
	})
}
