package watcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// site is a filesystem to be written to and watched, by one path or by two.
type site struct {
	options         func(Options) Options
	quiet           time.Duration // calmSettle if it is 0
	watched         string        // where the watcher looks
	written         string        // the same folder, for the writers
	near, elsewhere string        // other folders: on the filesystem of the written one, on another one
}

// sites make the filesystems that every writer is tried on.
var sites = map[string]func(t *testing.T, dir string) site{
	"disk": func(t *testing.T, dir string) site {
		t.Helper()
		return site{watched: dir + "/in", written: dir + "/in", near: dir + "/near", elsewhere: mountTmpfs(t, dir+"/elsewhere", "100%")}
	},
	"tmpfs": func(t *testing.T, dir string) site {
		t.Helper()
		mountTmpfs(t, dir+"/mnt", "100%")
		return site{watched: dir + "/mnt/in", written: dir + "/mnt/in", near: dir + "/mnt/near", elsewhere: dir + "/elsewhere"}
	},
	"bindfs": func(t *testing.T, dir string) site {
		t.Helper()
		mountBindfs(t, dir+"/below", dir+"/above", uncached)
		return site{
			options: scannedOnly, watched: dir + "/above/in", written: dir + "/below/in",
			near: dir + "/below/near", elsewhere: mountTmpfs(t, dir+"/elsewhere", "100%"),
		}
	},
}

// errand is one writer's try. Its folders are its own.
type errand struct {
	site
	seed  uint64
	want  map[string]fileContent // what has to be offered in the end
	began time.Time
	worst time.Duration // the longest time that a file may have looked finished without being so
}

// step changes files. Until it ends they may have looked finished since the step
// before it began.
func (j *errand) step(change func() error) error {
	now := time.Now()
	began := j.began
	if began.IsZero() {
		began = now
	}
	j.began = now
	err := change()
	j.worst = max(j.worst, time.Since(began))
	return err
}

// source makes a file with an old time.
func (j *errand) source(dir, name string, size int) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	j.seed++
	if err := os.WriteFile(path, randomBytes(j.seed, size), 0o644); err != nil {
		return "", err
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	return path, os.Chtimes(path, old, old)
}

// tree makes a folder of files.
func (j *errand) tree(dir string) (string, error) {
	for i := range 12 {
		if _, err := j.source(dir, fmt.Sprintf("tree/%d/%d/deep/%d.tif", i%2, i%3, i), i*70_000); err != nil {
			return "", err
		}
	}
	return dir + "/tree", nil
}

// tool runs a program, which may pause anywhere while it runs.
func (j *errand) tool(ctx context.Context, name string, args ...string) error {
	return j.step(func() error { return runTool(ctx, name, args...) })
}

// pieces writes in pieces, with pauses of nearly the quiet time in which the file
// is closed: nothing but its newness says that it is not finished.
func (j *errand) pieces(ctx context.Context, path string, b []byte, n int) error {
	tick := time.NewTicker(j.quiet * 3 / 4)
	defer tick.Stop()
	size := (len(b) + n - 1) / n
	for at := 0; at < len(b); at += size {
		if at > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := j.step(func() error { return writeAt(path, b[at:min(at+size, len(b))], at) }); err != nil {
			return err
		}
	}
	return nil
}

func writeAt(path string, b []byte, at int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, int64(at))
	return errors.Join(err, f.Close())
}

// carrier fills its folder and says what is in it then.
type carrier func(context.Context, *errand) error

// copied has a program bring one file.
func copied(name string, args ...string) carrier {
	return func(ctx context.Context, j *errand) error {
		src, err := j.source(j.elsewhere, "a.tif", 3<<20)
		if err != nil {
			return err
		}
		if j.want["a.tif"], err = contentOf(src); err != nil {
			return err
		}
		return j.tool(ctx, name, append(args, src, j.written+"/a.tif")...)
	}
}

// planted has a program bring a folder of files.
func planted(name string, args ...string) carrier {
	return func(ctx context.Context, j *errand) error {
		src, err := j.tree(j.elsewhere)
		if err != nil {
			return err
		}
		if j.want, err = contentsOf(j.elsewhere); err != nil {
			return err
		}
		return j.tool(ctx, name, append(args, src, j.written)...)
	}
}

// carriers are all that people use to bring files, each with an empty folder.
var carriers = map[string]carrier{
	"cp":                     copied("cp"),
	"cp -p":                  copied("cp", "-p"),
	"cp -r":                  planted("cp", "-r"),
	"cp -a":                  planted("cp", "-a"),
	"mv from elsewhere":      copied("mv"), // which copies
	"mv tree from elsewhere": planted("mv"),
	"rsync":                  copied("rsync"),
	"rsync -a":               planted("rsync", "-a"),
	"rsync --inplace":        copied("rsync", "--inplace"),
	"rsync -a --inplace":     planted("rsync", "-a", "--inplace"),
	// What is finished waits in a folder of its own until the last file is.
	"rsync --delay-updates": func(ctx context.Context, j *errand) error {
		for name, size := range map[string]int{"first.tif": 100 << 10, "second.tif": 3 << 20} {
			if _, err := j.source(j.elsewhere, "tree/"+name, size); err != nil {
				return err
			}
		}
		var err error
		if j.want, err = contentsOf(j.elsewhere); err != nil {
			return err
		}
		return runTool(ctx, "rsync", "-r", "--delay-updates", "--bwlimit=1000", j.elsewhere+"/tree", j.written)
	},
	"mv nearby": func(ctx context.Context, j *errand) error {
		src, err := j.tree(j.near)
		if err != nil {
			return err
		}
		if _, err := j.source(j.near, "a.tif", 1<<20); err != nil {
			return err
		}
		if j.want, err = contentsOf(j.near); err != nil {
			return err
		}
		return j.tool(ctx, "mv", src, j.near+"/a.tif", j.written)
	},
	"tar": func(ctx context.Context, j *errand) error {
		if _, err := j.tree(j.elsewhere); err != nil {
			return err
		}
		var err error
		if j.want, err = contentsOf(j.elsewhere); err != nil {
			return err
		}
		if err := runTool(ctx, "tar", "-C", j.elsewhere, "-czf", j.elsewhere+"/a.tar.gz", "tree"); err != nil {
			return err
		}
		return j.tool(ctx, "tar", "-C", j.written, "-xzf", j.elsewhere+"/a.tar.gz")
	},
	"hard link": func(ctx context.Context, j *errand) error {
		src, err := j.source(j.near, "a.tif", 1<<20)
		if err != nil {
			return err
		}
		if j.want["b.tif"], err = contentOf(src); err != nil {
			return err
		}
		return j.tool(ctx, "ln", src, j.written+"/b.tif")
	},
	"slowly": func(ctx context.Context, j *errand) error {
		b := randomBytes(j.seed, 4000)
		j.want["a.tif"] = sumOf(b)
		return j.pieces(ctx, j.written+"/a.tif", b, 5)
	},
	// A program that saves its work twice, the second time as much as before.
	"truncated and rewritten": func(ctx context.Context, j *errand) error {
		path := j.written + "/a.tif"
		b := randomBytes(j.seed, 4000)
		j.want["a.tif"] = sumOf(b)
		if err := j.pieces(ctx, path, randomBytes(j.seed+1, len(b)), 3); err != nil {
			return err
		}
		if err := j.step(func() error { return os.Truncate(path, 0) }); err != nil {
			return err
		}
		return j.pieces(ctx, path, b, 3)
	},
	"sparse": func(ctx context.Context, j *errand) error {
		const size, end = 1 << 30, 4096
		path := j.written + "/a.tif"
		if err := j.tool(ctx, "truncate", "-s", strconv.Itoa(size), path); err != nil {
			return err
		}
		if err := j.step(func() error { return writeAt(path, randomBytes(j.seed, end), size-end) }); err != nil {
			return err
		}
		var err error
		j.want["a.tif"], err = contentOf(path)
		return err
	},
	// It has its final size all the time.
	"allocated and filled in": func(ctx context.Context, j *errand) error {
		path := j.written + "/a.tif"
		b := randomBytes(j.seed, 4<<20)
		j.want["a.tif"] = sumOf(b)
		if err := j.tool(ctx, "fallocate", "-l", strconv.Itoa(len(b)), path); err != nil {
			return err
		}
		return j.pieces(ctx, path, b, 4)
	},
}

// Whoever writes, and wherever to: each file is offered once, and complete.
func TestWriters(t *testing.T) {
	t.Parallel()
	for name, open := range sites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asRoot(t)
			tryCarriers(t, open(t, t.TempDir()), carriers)
		})
	}
}

// tryCarriers runs all the writers side by side.
func tryCarriers(t *testing.T, p site, carriers map[string]carrier) {
	t.Helper()
	for _, dir := range []string{p.written, p.near, p.elsewhere} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NotEqual(t, deviceOf(t, p.written), deviceOf(t, p.elsewhere))
	t.Logf("watching %s, writing to %s", kindOfFilesystem(t, p.watched), kindOfFilesystem(t, p.written))
	p.quiet = cmp.Or(p.quiet, calmSettle)
	opts := Options{Rules: []Rule{{Path: p.watched, Settle: p.quiet}}}
	if p.options != nil {
		opts = p.options(opts)
	}
	box := newOpeningInbox()
	start(t, box, opts)

	var mu sync.Mutex
	done := map[string]*errand{}
	var g errgroup.Group
	g.SetLimit(6)
	for name, write := range carriers {
		g.Go(func() error {
			j, err := attempt(t, p, name, write)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done[name] = j
			return nil
		})
	}
	require.NoError(t, g.Wait())
	write(t, p.written+"/fence", "fence")
	box.waitFor(t, p.watched+"/fence")
	write(t, p.written+"/last", "fence") // for what was to come with the first one
	box.waitFor(t, p.watched+"/last")
	want, got := map[string]map[string][]fileContent{}, map[string]map[string][]fileContent{}
	for name, j := range done {
		require.NotEmpty(t, j.want, name)
		want[name], got[name] = onceEach(j.want), box.offered(j.watched)
	}
	require.Equal(t, want, got)
}

// attempt has a writer do its work. One that was held up for the quiet time,
// on a busy machine, proves nothing: it starts again in another folder.
func attempt(t *testing.T, p site, name string, write carrier) (*errand, error) {
	t.Helper()
	const tries = 10
	for i := range tries {
		sub := fmt.Sprintf("/%s %d", name, i)
		j := &errand{seed: uint64(i), want: map[string]fileContent{}, site: site{
			quiet: p.quiet, watched: p.watched + sub, written: p.written + sub, near: p.near + sub, elsewhere: p.elsewhere + sub,
		}}
		for _, dir := range []string{j.written, j.near, j.elsewhere} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return nil, err
			}
		}
		if err := write(t.Context(), j); err != nil {
			return nil, err
		}
		if j.worst < j.quiet {
			return j, nil
		}
		t.Logf("%s: once more, this one paused for %s", name, j.worst)
	}
	return nil, fmt.Errorf("the machine is too busy: %d times it paused for more than %s", tries, p.quiet)
}

// A copy fails halfway, room is made, and the next one succeeds: before the
// quiet time is over, because a half that stays as it is looks like a whole.
func TestFilesystemWithoutRoom(t *testing.T) {
	t.Parallel()
	for name, tidy := range map[string]func(path string) error{
		"removed":     os.Remove,
		"overwritten": func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mnt := mountTmpfs(t, dir+"/mnt", "8m")
			p := site{watched: mnt + "/in", written: mnt + "/in", near: mnt + "/near", elsewhere: dir + "/elsewhere"}
			tryCarriers(t, p, map[string]carrier{name: func(ctx context.Context, j *errand) error {
				return j.crowded(ctx, tidy)
			}})
		})
	}
}

func (j *errand) crowded(ctx context.Context, tidy func(path string) error) error {
	const size = 5 << 20
	src, err := j.source(j.elsewhere, "a.tif", size)
	if err != nil {
		return err
	}
	if j.want["a.tif"], err = contentOf(src); err != nil {
		return err
	}
	ballast, err := j.source(j.near, "ballast", 6<<20)
	if err != nil {
		return err
	}
	path := j.written + "/a.tif"
	err = j.step(func() error {
		err := runTool(ctx, "cp", src, path)
		if err == nil || !strings.Contains(err.Error(), "No space left") {
			return fmt.Errorf("there was room for %s: %w", path, err)
		}
		if st, err := os.Stat(path); err != nil || st.Size() == 0 || st.Size() >= size {
			return fmt.Errorf("not a truncated file: %v, %w", st, err)
		}
		if err := errors.Join(tidy(path), os.Remove(ballast)); err != nil {
			return err
		}
		return runTool(ctx, "cp", src, path)
	})
	if j.worst >= j.quiet {
		err = errors.Join(err, os.Remove(path)) // room for the next try
	}
	return err
}
