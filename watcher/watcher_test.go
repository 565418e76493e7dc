package watcher

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	settle = 60 * time.Millisecond
	// unhurried is for tests whose own writer has to keep up on a busy machine.
	unhurried = time.Second
)

func rules(path string) Options {
	return Options{Rules: []Rule{{Path: path, Settle: settle}}}
}

func TestDropBeforeAndAfterStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := write(t, dir+"/Demo/ann/inbox/Retina/deep/old.tif", "old")
	box := newInbox()
	start(t, box, rules(dir+"/{group}/{user}/inbox/{dataset}"))
	box.waitFor(t, old)
	fresh := write(t, dir+"/Demo/bob/inbox/Eye/new.tif", "fresh")
	d := box.waitFor(t, fresh)
	require.Equal(t, dir+"/Demo/bob/inbox/Eye", d.Dir)
	require.Equal(t, map[string]string{"group": "Demo", "user": "bob", "dataset": "Eye"}, d.Captures)
	st, err := os.Stat(fresh)
	require.NoError(t, err)
	sys, ok := st.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.Equal(t, Drop{
		Path: fresh, Dir: d.Dir, Captures: d.Captures, Size: 5, ModTime: st.ModTime(), Device: sys.Dev, Inode: sys.Ino,
		Mark: d.Mark,
	}, d)
	require.NotZero(t, d.Mark)
	write(t, dir+"/Demo/loose.tif", "not in a rule's folder")
	write(t, dir+"/Demo/bob/loose.tif", "nor this")
	fence(t, box, dir+"/Demo/bob/inbox/Eye/fence")
	require.Len(t, box.all(), 3)
}

func TestWrittenInPieces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: unhurried}}})
	f, err := os.Create(dir + "/slow.tif")
	require.NoError(t, err)
	tick := time.NewTicker(unhurried / 20)
	defer tick.Stop()
	for range 30 {
		<-tick.C
		_, err := f.WriteString("piece")
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	box.wait(t, 1)
	fence(t, box, dir+"/fence")
	for _, d := range box.all() {
		require.Equal(t, map[string]int64{"slow.tif": 150, "fence": 5}[filepath.Base(d.Path)], d.Size)
	}
	require.Len(t, box.all(), 2)
}

func TestRenamedIntoPlaceIsSettledAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: maxSettle, Control: []string{"*.go"}}}})
	write(t, dir+"/control.go", "tells when the watch is there") // taken after a second
	box.wait(t, 1)
	write(t, dir+"/a.tif.part", "content")
	require.NoError(t, os.Rename(dir+"/a.tif.part", dir+"/a.tif"))
	box.waitFor(t, dir+"/a.tif")

	write(t, dir+"/unfinished.tif", "still being written")
	write(t, dir+"/other.tmp", "x")
	require.NoError(t, os.Rename(dir+"/unfinished.tif", dir+"/renamed.tif"))
	require.NoError(t, os.Rename(dir+"/other.tmp", dir+"/last.tif"))
	box.waitFor(t, dir+"/last.tif")
	require.NotContains(t, box.paths(), dir+"/renamed.tif")
}

// What is moved here from where nobody watches was made before, and it is
// complete; a file that is still being written somewhere is not.
func TestMovedInFromElsewhereIsSettledAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, f := range []string{"a.tif", "b.zarr/0/0", "c.tif"} {
		write(t, dir+"/elsewhere/"+f, "x")
	}
	<-time.After(granule + 100*time.Millisecond)
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir + "/in", Settle: maxSettle, Control: []string{"fence*"}}}})
	fence(t, box, dir+"/in/fence")
	open, err := os.OpenFile(dir+"/elsewhere/c.tif", os.O_WRONLY, 0)
	require.NoError(t, err)
	for _, f := range []string{"c.tif", "a.tif", "b.zarr"} {
		require.NoError(t, os.Rename(dir+"/elsewhere/"+f, dir+"/in/"+f))
	}
	box.waitFor(t, dir+"/in/a.tif")
	box.waitFor(t, dir+"/in/b.zarr")
	fence(t, box, dir+"/in/fence2")
	require.Len(t, box.all(), 4)
	require.NoError(t, open.Close())
	box.waitFor(t, dir+"/in/c.tif")

	// One that is written to again, or made here, takes its time.
	file, err := os.OpenFile(dir+"/in/a.tif", os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = file.WriteString("more")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	write(t, dir+"/in/d.tif", "x")
	fence(t, box, dir+"/in/fence3")
	fence(t, box, dir+"/in/fence4")
	require.Len(t, box.all(), 7)
}

func TestDeepTreeMadeAtSpeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	opts := rules(dir + "/in")
	opts.Rules[0].Settle = unhurried // or a busy machine shows a file before it is written
	start(t, box, opts)
	var want []string
	for i := range 500 {
		deep := fmt.Sprintf("%s/in/%d/b/c/%d/d", dir, i%25, i)
		for j := range 4 {
			want = append(want, write(t, fmt.Sprintf("%s/%d.tif", deep, j), "x"))
		}
	}
	box.wait(t, len(want))
	got := box.paths()
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
}

func TestMovedTrees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 20 {
		write(t, fmt.Sprintf("%s/outside/run/%d/a.tif", dir, i), "x")
	}
	require.NoError(t, os.Mkdir(dir+"/in", 0o755))
	box := newInbox()
	start(t, box, rules(dir+"/in"))
	fence(t, box, dir+"/in/fence1")
	require.NoError(t, os.Rename(dir+"/outside/run", dir+"/in/run"))
	box.wait(t, 21)
	require.NoError(t, os.Rename(dir+"/in/run", dir+"/in/moved"))
	box.wait(t, 41)
	// The watches follow: what is written now is known by its new path.
	fence(t, box, dir+"/in/moved/7/late.tif")
	require.NoError(t, os.Rename(dir+"/in/moved", dir+"/away"))
	fence(t, box, dir+"/in/fence2")
	write(t, dir+"/away/8/x.tif", "x")
	fence(t, box, dir+"/in/fence3")
	require.Len(t, box.all(), 44)
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{
		{Path: dir + "/{group}/{user}", Settle: settle, Include: []string{"*.TIF", "fence", "*.yml"}, Exclude: []string{"*_preview.tif"}},
		{Path: dir + "/{group}/.2BUploaded", Settle: settle, Control: []string{"*.txt"}, ControlOnly: true},
	}})
	for _, name := range []string{
		".processed/a.tif", ".analysis/a.tif", "x/.Uploaded/ann/a.tif", ".failed_uploads/a.tif", "a.order.yml.receipt.json",
		"a.yml.rejected.txt", "a.tif~", "a.tif.tmp", "a.tif.PART", "a.partial", "a.filepart", "a.crdownload", ".a.tif.swp", ".nfs0001",
		".smbdelete1", ".~lock.a#", "Thumbs.db", ".ds_store", "._a.tif", ".a.tif.Ab3dE9", "tus_upload/a.tif", "b/tus_destination/a.tif",
		"a_preview.tif", "a.txt",
	} {
		write(t, dir+"/Demo/ann/"+name, "x")
	}
	write(t, dir+"/Demo/uploads/ann/a.tif", "x")
	write(t, dir+"/Demo/.2BUploaded/a.tif", "no control file")
	taken := []string{
		write(t, dir+"/Demo/.2BUploaded/2025_01_01_00-00-00.txt", "x"),
		write(t, dir+"/Demo/ann/.a.tif.Ab3dE9.tif", "x"),
		write(t, dir+"/Demo/ann/A.tif", "x"),
	}
	box.wait(t, 3)
	fence(t, box, dir+"/Demo/ann/fence")
	got := box.paths()[:3]
	slices.Sort(got)
	require.Equal(t, taken, got)
}

func TestLinksAndSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := write(t, dir+"/outside/secret.tif", "x")
	box := newInbox()
	require.NoError(t, os.Mkdir(dir+"/in", 0o755))
	require.NoError(t, os.Symlink(dir+"/outside", dir+"/in/before"))
	start(t, box, rules(dir+"/in"))
	fence(t, box, dir+"/in/fence1")
	require.NoError(t, os.Symlink(dir+"/outside", dir+"/in/after"))
	require.NoError(t, os.Symlink(outside, dir+"/in/file.tif"))
	require.NoError(t, syscall.Mkfifo(dir+"/in/fifo.tif", 0o644))
	// A watched folder that is replaced by a link is let go.
	fence(t, box, dir+"/in/sub/fence2")
	require.NoError(t, os.RemoveAll(dir+"/in/sub"))
	require.NoError(t, os.Symlink(dir+"/outside", dir+"/in/sub"))
	write(t, dir+"/outside/more.tif", "x")
	fence(t, box, dir+"/in/fence3")
	require.Len(t, box.all(), 3)
	// A hard link is a file.
	require.NoError(t, os.Link(outside, dir+"/in/hard.tif"))
	box.waitFor(t, dir+"/in/hard.tif")
}

func TestSinkErrorIsOfferedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	fails := 2
	box.fail = func() error {
		if fails == 0 {
			return nil
		}
		fails--
		return errSink
	}
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: settle, Control: []string{"*.yml"}}}})
	for i := range 50 {
		write(t, fmt.Sprintf("%s/%d.tif", dir, i), "x")
	}
	write(t, dir+"/z.yml", "x")
	box.wait(t, 51)
	fence(t, box, dir+"/fence")
	require.Len(t, box.all(), 52)
}

func TestMissingRootAppears(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir+"/share/mnt/{user}"))
	first := write(t, dir+"/share/mnt/ann/a.tif", "x")
	box.waitFor(t, first)
	require.NoError(t, os.RemoveAll(dir+"/share"))
	require.NoError(t, os.MkdirAll(dir+"/share/mnt", 0o755))
	second := write(t, dir+"/share/mnt/bob/b.tif", "x")
	box.waitFor(t, second)
	fence(t, box, dir+"/share/mnt/bob/c.tif")
	require.NoError(t, os.Rename(dir+"/share/mnt", dir+"/share/away"))
	write(t, dir+"/share/away/ann/no.tif", "x")
	fence(t, box, dir+"/share/mnt/cid/d.tif")
	require.NotContains(t, strings.Join(box.paths(), " "), "no.tif")
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir+"/{user}"))
	for _, name := range []string{"new\nline.tif", "\xff\xfe.tif", strings.Repeat("n", 255), " ", `q"uo'te`, "{user}", "*", "a\\b", "← \"x\""} {
		path := write(t, dir+"/\xc3\n dir/"+name, "x")
		d := box.waitFor(t, path)
		require.Equal(t, "\xc3\n dir", d.Captures["user"])
		moved := dir + "/\xc3\n dir/" + name[:len(name)-1] + "M"
		require.NoError(t, os.Rename(path, moved))
		box.waitFor(t, moved)
	}
}

func TestRestartOffersEverythingAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir+"/a.tif", "x")
	box := newInbox()
	for i := range 3 {
		stop := startStop(t, box, rules(dir))
		box.wait(t, i+1)
		stop()
	}
	require.Equal(t, []string{path, path, path}, box.paths())
}

func TestChangedFileIsOfferedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir))
	path := write(t, dir+"/a.tif", "x")
	box.wait(t, 1)
	require.NoError(t, os.Chmod(path, 0o600))
	fence(t, box, dir+"/fence")
	write(t, path, "more")
	all := box.wait(t, 3)
	require.Len(t, all, 3)
	require.Equal(t, int64(4), all[2].Size)
}

func TestRescanFindsAndForgetsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	opts := rules(dir)
	opts.Rules[0].ScanInterval, opts.FullScan = 20*time.Millisecond, 100*time.Millisecond
	start(t, box, opts)
	for i := range 30 {
		write(t, fmt.Sprintf("%s/%d/a.tif", dir, i), "x")
	}
	box.wait(t, 30)
	for i := range 5 { // each takes several rescans
		fence(t, box, fmt.Sprintf("%s/fence%d", dir, i))
	}
	require.Len(t, box.all(), 35)
}

func TestNestedRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{
		{Path: dir + "/{group}", Settle: settle},
		{Path: dir + "/{group}/{user}/inbox", Settle: settle},
		{Path: dir + "/{group}/special/inbox", Settle: settle},
	}})
	for path, rule := range map[string]int{
		"/g/a.tif": 0, "/g/u/b.tif": 0, "/g/u/inbox/c.tif": 1, "/g/u/inbox/x/y/d.tif": 1, "/g/special/inbox/e.tif": 2,
	} {
		d := box.waitFor(t, write(t, dir+path, "x"))
		require.Equal(t, rule, d.Rule, path)
	}
}

func TestStopAnytime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 100 {
		write(t, fmt.Sprintf("%s/%d/a.tif", dir, i), "x")
	}
	write(t, dir+"/z.zarr/0/0", "x")
	for i := range 50 {
		box := newInbox()
		w, err := New(Options{Rules: []Rule{{Path: dir, Settle: time.Millisecond}}}, box)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond/3)
		require.NoError(t, w.Run(ctx))
		cancel()
	}
}
