package preview

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// cache is a folder of pictures, of which the ones not used for longest go first. An
// empty file says that there can be no picture.
type cache struct {
	dir  string
	most int64 // bytes

	mu      sync.Mutex
	entries map[string]entry
	size    int64 // of all, each with a block of the filesystem
}

type entry struct {
	size int64
	used time.Time
}

const (
	suffix = ".jpg"
	// block is what a file takes at least, in bytes.
	block = 4 << 10
)

func openCache(dir string, most int64) (*cache, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of previews: %w", err)
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the folder of previews: %w", err)
	}
	c := &cache{dir: dir, most: most, entries: map[string]entry{}}
	for _, f := range found {
		tag, ok := strings.CutSuffix(f.Name(), suffix)
		info, err := f.Info()
		if !ok || err != nil {
			_ = os.Remove(filepath.Join(dir, f.Name())) // a crash left it
			continue
		}
		c.note(tag, info.Size(), info.ModTime())
	}
	c.shrink()
	return c, nil
}

func (c *cache) path(tag string) string { return filepath.Join(c.dir, tag+suffix) }

func (c *cache) note(tag string, size int64, used time.Time) {
	if old, ok := c.entries[tag]; ok {
		c.size -= old.size
	}
	e := entry{size + block, used}
	c.entries[tag] = e
	c.size += e.size
}

// get returns a picture, or nothing where it is kept that there can be none.
func (c *cache) get(tag string) (picture []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[tag]; !ok {
		return nil, false
	}
	picture, err := os.ReadFile(c.path(tag))
	if err != nil {
		return nil, false
	}
	now := time.Now()
	c.note(tag, int64(len(picture)), now)
	_ = os.Chtimes(c.path(tag), now, now) // for the next start
	return picture, true
}

func (c *cache) put(tag string, picture []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := publish(c.path(tag), picture); err != nil {
		return fmt.Errorf("keeping a preview: %w", err)
	}
	c.note(tag, int64(len(picture)), time.Now())
	c.shrink()
	return nil
}

// shrink removes what was not used for longest, a tenth more than has to go.
func (c *cache) shrink() {
	if c.size <= c.most {
		return
	}
	tags := make([]string, 0, len(c.entries))
	for tag := range c.entries {
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b string) int {
		return cmp.Or(c.entries[a].used.Compare(c.entries[b].used), strings.Compare(a, b))
	})
	for _, tag := range tags {
		if c.size <= c.most-c.most/10 {
			return
		}
		_ = os.Remove(c.path(tag))
		c.size -= c.entries[tag].size
		delete(c.entries, tag)
	}
}

// publish writes a file that is there as a whole or not at all.
func publish(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
