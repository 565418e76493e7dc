package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/importer/omero/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mount has a small filesystem at a folder until the test ends.
func mount(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount filesystems")
	}
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", flags, options), "a container needs the right to mount")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Equal(t, Well("logs", dir), Writable("logs", dir, "log_file_path"))
	require.Contains(t, Writable("logs", dir+"/a/b", "log_file_path").Detail, "made at the first start")
	require.NoError(t, os.WriteFile(dir+"/file", nil, 0o600))
	f := Writable("logs", dir+"/file", "log_file_path")
	require.Equal(t, Wrong, f.State)
	require.Equal(t, order.Invalid, order.ClassOf(f.Err))
	require.Contains(t, f.Fix, "log_file_path")
}

func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	dir := mount(t, unix.MS_RDONLY, "")
	f := Writable("state_dir", dir, "state_dir")
	require.Equal(t, Wrong, f.State)
	require.Contains(t, f.Detail, "read-only file system")
	require.Equal(t, "It is mounted read-only: mount it with rw, or name another folder in state_dir.", f.Fix)
	f = Receipts(dir)
	require.Equal(t, Look, f.State, "orders go without receipts")
	require.Contains(t, f.Detail, "no receipts")
	f = ShareClock(dir, time.Now)
	require.Equal(t, Unknown, f.State)
	require.True(t, f.OK)
}

func TestSpace(t *testing.T) {
	t.Parallel()
	full := mount(t, 0, "size=64k")
	_ = os.WriteFile(full+"/ballast", make([]byte, 1<<17), 0o600)
	f := Space("state_dir space", full)
	require.Equal(t, Wrong, f.State)
	require.Equal(t, order.Busy, order.ClassOf(f.Err))
	require.Equal(t, "Make room on the filesystem of "+full+".", f.Fix)

	nameless := mount(t, 0, "size=8m,nr_inodes=3")
	for n := range 3 {
		_ = os.WriteFile(fmt.Sprint(nameless, "/", n), nil, 0o600)
	}
	require.Contains(t, Space("s", nameless).Detail, "no inode is left")
	require.Equal(t, Look, Space("s", mount(t, 0, "size=8m")).State)
	roomy := Space("s", mount(t, 0, "size=2g")+"/not/there/yet")
	require.Equal(t, OK, roomy.State)
	require.Contains(t, roomy.Detail, "2GiB left")
}

func TestInotify(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	set := func(file, value string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(proc, "sys", file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(proc, "sys", file), []byte(value+"\n"), 0o600))
	}
	_, err := ReadLimits(proc)
	require.Error(t, err)
	set("fs/inotify/max_user_watches", "8192")
	set("fs/inotify/max_user_instances", "128")
	set("user/max_inotify_watches", "20") // of a user namespace
	limits, err := ReadLimits(proc)
	require.NoError(t, err)
	require.Equal(t, Limits{Watches: 20, Instances: 128}, limits)

	roots := []string{t.TempDir(), t.TempDir()}
	for n := range 20 {
		require.NoError(t, os.MkdirAll(fmt.Sprintf("%s/%d.zarr/0/1/2", roots[n%2], n), 0o755))
	}
	folders, complete := Folders(t.Context(), roots, 1000)
	require.True(t, complete)
	require.Equal(t, 22, folders, "what is in .zarr folders is not watched")
	f := Inotify(limits, 2, folders, complete)
	require.Equal(t, Wrong, f.State)
	require.Contains(t, f.Detail, "22 folders, and the kernel watches 20 for a user")
	require.Contains(t, f.Fix, "sysctl fs.inotify.max_user_watches=524288")
	folders, complete = Folders(t.Context(), roots, 17)
	require.False(t, complete)
	f = Inotify(limits, 2, folders, complete)
	require.Equal(t, Look, f.State)
	require.Contains(t, f.Detail, "at least 17 folders")
	require.Contains(t, Inotify(Limits{Watches: 1 << 20, Instances: 1}, 2, 5, true).Fix, "max_user_instances=1024")
	require.Contains(t, Inotify(Limits{Watches: 10, Instances: 9}, 2, 3_000_000, true).Fix, "max_user_watches=8388608")
	require.Equal(t, OK, Inotify(Limits{Watches: 1 << 20, Instances: 9}, 2, 5, true).State)

	limits, err = ReadLimits("/proc")
	require.NoError(t, err)
	require.Positive(t, limits.Watches)
}

func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(skew time.Duration) Finding {
		return Clock("database clock", "the database", now.Add(skew), now, now.Add(time.Millisecond))
	}
	require.Equal(t, OK, at(time.Second).State)
	require.Equal(t, Look, at(-10*time.Second).State)
	require.Equal(t, "that of the database is 10s behind ours", at(-10*time.Second).Detail)
	f := at(time.Hour + time.Millisecond)
	require.Equal(t, Wrong, f.State)
	require.Equal(t, "that of the database is 1h0m0s ahead of ours", f.Detail)
	require.Equal(t, "Have both machines set their clocks by NTP.", f.Fix)

	dir := t.TempDir()
	require.Equal(t, OK, ShareClock(dir, time.Now).State)
	f = ShareClock(dir, func() time.Time { return time.Now().Add(-time.Hour) })
	require.Equal(t, Wrong, f.State)
	require.Contains(t, f.Detail, "ahead of ours")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFilesystem(t *testing.T) {
	t.Parallel()
	dir := mount(t, 0, "size=1m")
	require.Contains(t, Filesystem(dir, config.AutoMode).Detail, "is on tmpfs, where the kernel tells of all changes")
	require.Contains(t, Filesystem(dir, config.Scan).Detail, "scanned")
	f := Filesystem("/proc", config.Events) // which no watcher can rely on
	require.Equal(t, Look, f.State)
	require.Contains(t, f.Fix, "Leave mode out")
	require.Equal(t, OK, Filesystem("/proc", config.AutoMode).State)
	require.Equal(t, Wrong, Filesystem(dir+"/gone", config.AutoMode).State)
}

func TestMounted(t *testing.T) {
	t.Parallel()
	marked := func(content string) (folder string) {
		folder = t.TempDir()
		require.NoError(t, os.MkdirAll(folder+"/.omero/repository/database", 0o755))
		require.NoError(t, os.WriteFile(folder+"/.omero/repository/database/repo_uuid", []byte(content), 0o600))
		return folder
	}
	linked := t.TempDir()
	require.NoError(t, os.MkdirAll(linked+"/.omero/repository/database", 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", linked+"/.omero/repository/database/repo_uuid"))
	for name, tc := range map[string]struct {
		folder, path string // path: as the server has it; empty for the same
		state        State
		detail       string
	}{
		"the same":         {marked("\x00\x04this"), "", OK, "the same folder at the same path"},
		"with a slash":     {marked("this") + "/", "", OK, "the same folder"},
		"at another path":  {marked("this"), "/OMERO", Wrong, "has this folder at /OMERO"},
		"another server's": {marked("that"), "", Wrong, "a repository of another server"},
		"no repository":    {t.TempDir(), "", Look, "lacks .omero/repository/*/repo_uuid"},
		"a link":           {linked, "", Wrong, "no regular file"},
	} {
		path := tc.path
		if path == "" {
			path = filepath.Clean(tc.folder)
		}
		f := Mounted("omero repository", tc.folder, []model.Repository{{Path: "/OMERO/Files", UUID: "other"}, {Path: path, UUID: "this"}, {Path: "/OMERO/none"}})
		require.Equal(t, tc.state, f.State, name)
		require.Contains(t, f.Detail, tc.detail, name)
	}
	require.Equal(t, Unknown, Mounted("omero repository", marked("this"), nil).State)
}

func TestApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"data/omero", "omero/data", "other"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	require.NoError(t, os.Symlink("data/omero", dir+"/link"))
	for _, tc := range []struct{ repository, share, wrong string }{
		{"other", "data", ""},
		{"data2", "data", ""},
		{"data", "data", "are the same folder"},
		{"data/omero", "data", "lies below base_dir"},
		{"link", "data", "lies below base_dir"},
		{"omero", "omero/data", "OMERO's own files"},
	} {
		f := Apart("omero mounts", filepath.Join(dir, tc.repository), filepath.Join(dir, tc.share))
		require.Equal(t, tc.wrong == "", f.OK, tc)
		require.Contains(t, f.Detail, tc.wrong)
		require.Equal(t, tc.wrong != "", strings.HasPrefix(f.Fix, "Correct"), tc)
	}
	if os.Getuid() == 0 { // one folder at two places
		twice := filepath.Join(dir, "twice")
		require.NoError(t, os.Mkdir(twice, 0o755))
		require.NoError(t, unix.Mount(dir+"/data", twice, "", unix.MS_BIND, ""))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(twice, unix.MNT_DETACH)) })
		require.Contains(t, Apart("omero mounts", twice, dir+"/data").Detail, "are the same folder")
	}
}
