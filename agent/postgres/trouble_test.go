package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// requireInvalid checks for a sentence that tells the user what to do.
func requireInvalid(t *testing.T, err error, parts ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, order.Invalid, order.ClassOf(err), err.Error())
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}

func TestStart_notInstalled(t *testing.T) {
	t.Parallel()
	l := launcher{search: search{path: t.TempDir() + ":relative", globs: []string{"/nowhere/*"}}}
	_, err := l.start(t.Context(), Options{Dir: stateDir(t)})
	requireInvalid(t, err, "PostgreSQL 14 or newer", "`apt-get install postgresql`")
}

func TestStart_madeByAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	data := filepath.Join(dir, "data")
	require.NoError(t, os.MkdirAll(data, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(data, 65534, 65534))
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	requireInvalid(t, err, data, "made by PostgreSQL 9, which is not installed", "`apt-get install postgresql-9`")
	require.NoError(t, os.Remove(filepath.Join(data, "PG_VERSION")))
	_, err = Start(t.Context(), Options{Dir: dir})
	requireInvalid(t, err, data, "no intact database cluster")
}

func TestPick_newestOrTheMatchingOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, version := range []string{"13.9", "14.2", "16.1 (Debian)", "17beta1"} {
		bin := filepath.Join(dir, version[:2], "bin")
		require.NoError(t, os.MkdirAll(bin, 0o700))
		for _, name := range []string{"initdb", "postgres"} {
			script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
			require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700))
		}
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "99", "bin"), 0o700)) // clients only
	s := search{globs: []string{filepath.Join(dir, "*", "bin")}}
	best, err := s.pick(t.Context(), "", 0)
	require.NoError(t, err)
	require.Equal(t, 17, best.major)
	matching, err := s.pick(t.Context(), "", 13)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "13", "bin", "initdb"), matching.path("initdb"))
	_, err = s.pick(t.Context(), "/state/data", 15)
	requireInvalid(t, err, "PostgreSQL 15")

	links := t.TempDir() // as distributions link them into /usr/bin
	require.NoError(t, os.Symlink(filepath.Join(dir, "16", "bin", "initdb"), filepath.Join(links, "initdb")))
	linked, err := search{path: links}.pick(t.Context(), "", 0)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "16", "bin"), linked.dir)
}

func TestStart_removesHalfMadeClusters(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	half := filepath.Join(dir, partial, "base")
	require.NoError(t, os.MkdirAll(half, 0o700))
	start(t, dir)
	require.NoDirExists(t, filepath.Dir(half))
}

// A restarted container, or a reboot, gives the number in a left-over pid file
// to somebody else.
func TestStart_stalePIDFile(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"nobody", "a bystander", "another server"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			c := start(t, dir)
			pidFile := filepath.Join(dir, "data", "postmaster.pid")
			text, err := os.ReadFile(pidFile)
			require.NoError(t, err)
			owner, err := serverAccount(c.places.data)
			require.NoError(t, err)
			stop(t, c)

			pid := 1 << 22 // beyond the largest there is
			switch who {
			case "a bystander":
				// Of the same user, which PostgreSQL by itself takes for a server.
				sleep := owner.command(t.Context(), "/bin/sleep", "600")
				require.NoError(t, sleep.Start())
				defer func() { _ = sleep.Wait() }()
				defer func() { require.NoError(t, sleep.Process.Kill(), "the bystander was ended") }()
				pid = sleep.Process.Pid
			case "another server":
				pid = start(t, stateDir(t)).server.pid
			}
			_, rest, _ := strings.Cut(string(text), "\n")
			require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(pid)+"\n"+rest), 0o600))
			require.NoError(t, owner.own(pidFile))

			c = start(t, dir)
			require.NotEqual(t, pid, c.server.pid)
			require.Equal(t, 1, query[int](t, c, "SELECT 1"))
		})
	}
}

func TestStart_failureShowsTheLog(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	_, err := Start(t.Context(), Options{Dir: dir, Parameters: map[string]string{"fsync": "off", "no_such_setting": "1"}})
	require.ErrorContains(t, err, filepath.Join(dir, "postgres.log"))
	require.ErrorContains(t, err, `unrecognized configuration parameter "no_such_setting"`)
	require.Equal(t, 1, query[int](t, start(t, dir), "SELECT 1"))
}

func TestStart_folderClosedToTheServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	closed := filepath.Join(filepath.Dir(dir), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	c, err := Start(t.Context(), Options{Dir: filepath.Join(closed, "state"), Parameters: quick})
	if os.Geteuid() != 0 {
		require.NoError(t, err)
		stop(t, c)
		return
	}
	requireInvalid(t, err, "the user postgres", "may not enter "+closed+":", "`chmod o+x "+closed+"`")
	require.NoError(t, os.Chmod(closed, 0o701))
	start(t, filepath.Join(closed, "state"))
}

func TestStart_oddOwners(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	data := filepath.Join(dir, "data")
	if os.Geteuid() != 0 {
		_, err := serverAccount("/usr/bin") // another user's
		requireInvalid(t, err, "belongs to root")
		return
	}
	stop(t, start(t, dir))
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		require.NoError(t, err)
		return os.Lchown(path, 65534, 65534)
	}))
	c := start(t, dir) // root serves what an ordinary user made
	owner, err := serverAccount(data)
	require.NoError(t, err)
	require.Equal(t, uint32(65534), owner.uid)
	stop(t, c)
	require.NoError(t, os.Chown(data, 0, 0))
	_, err = Start(t.Context(), Options{Dir: dir})
	requireInvalid(t, err, data, "belongs to root", "chown -R postgres")
}

func TestStart_badFolders(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", "a\nb"} {
		_, err := Start(t.Context(), Options{Dir: dir})
		requireInvalid(t, err, "state_dir")
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Start(t.Context(), Options{Dir: filepath.Join(file, "below")})
	require.ErrorContains(t, err, "making the state folder")
}

func TestPrivate_distrustsWhatOthersMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()), name: "me"}
	good, open, link := filepath.Join(dir, "good"), filepath.Join(dir, "open"), filepath.Join(dir, "link")
	require.NoError(t, private(good, owner))
	require.NoError(t, private(good, owner), "a second time")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o777))
	requireInvalid(t, private(open, owner), open)
	require.NoError(t, os.Symlink(good, link))
	requireInvalid(t, private(link, owner), link)
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(good, 65534, 65534))
		requireInvalid(t, private(good, owner), good)
	}
}

func TestAcquire_endsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := acquire(t.Context(), path, exclusive)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = acquire(ctx, path, shared)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, held.release())
	taken, err := acquire(ctx, path, shared)
	require.NoError(t, err, "a free lock is taken even so")
	require.NoError(t, taken.release())
}
