package watcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// A local process that holds a file open for writing has not finished it,
// however long it pauses: the file is taken when it is closed.
func TestHeldOpenIsNotFinished(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"disk", "tmpfs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tryCarriers(t, sites[name](t, t.TempDir()), map[string]carrier{
				"held open": func(ctx context.Context, j *errand) error {
					f, err := os.Create(j.written + "/a.tif")
					if err != nil {
						return err
					}
					defer f.Close()
					b := randomBytes(j.seed, 4000)
					j.want["a.tif"] = sumOf(b)
					if _, err := f.Write(b[:1000]); err != nil {
						return err
					}
					select {
					case <-time.After(5 * j.quiet / 2):
					case <-ctx.Done():
						return ctx.Err()
					}
					_, err = f.Write(b[1000:])
					return err
				},
			})
		})
	}
}

// Clients of file servers show sizes and times of a while ago. A look that
// decides has to ask the server.
func TestRememberedAttributesProveNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountBindfs(t, dir+"/below", dir+"/above", "attr_timeout=3,entry_timeout=3")
	tryCarriers(t, site{
		options: scannedOnly, watched: dir + "/above/in", written: dir + "/below/in",
		near: dir + "/below/near", elsewhere: mountTmpfs(t, dir+"/elsewhere", "100%"),
	}, map[string]carrier{"slowly": carriers["slowly"]})
}

// The new filesystem has the number of the old one, and its root the same
// inode: that it is another one shows only by the mount and by the watches' end.
func TestMountedAgainAtOnce(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := t.TempDir()
	box := newInbox()
	mountTmpfs(t, dir+"/mnt", "1m")
	start(t, box, patientRules(dir+"/mnt"))
	fence(t, box, dir+"/mnt/sub/old.tif")
	for i := range 3 {
		unmountSoon(t, dir+"/mnt", 0)
		mountTmpfs(t, dir+"/mnt", "1m")
		fence(t, box, fmt.Sprintf("%s/mnt/sub/new%d.tif", dir, i))
	}
}

// rsync keeps what was interrupted in a folder of its own, until somebody starts
// it again.
func TestInterruptedRsync(t *testing.T) {
	t.Parallel()
	tryCarriers(t, sites["disk"](t, t.TempDir()), map[string]carrier{
		"rsync --partial-dir": func(ctx context.Context, j *errand) error {
			src, err := j.source(j.elsewhere, "a.tif", 3<<20)
			if err != nil {
				return err
			}
			if j.want["a.tif"], err = contentOf(src); err != nil {
				return err
			}
			args := []string{"--partial-dir=.rsync-partial", src, j.written}
			err = runTool(ctx, "timeout", append([]string{"--signal=INT", "1", "rsync", "--bwlimit=1000"}, args...)...)
			if err == nil {
				return errors.New("rsync was not interrupted")
			}
			if _, err := os.Stat(j.written + "/.rsync-partial/a.tif"); err != nil {
				return err
			}
			select {
			case <-time.After(2 * j.quiet):
			case <-ctx.Done():
				return ctx.Err()
			}
			return runTool(ctx, "rsync", args...)
		},
	})
}
