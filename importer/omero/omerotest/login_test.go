package omerotest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func TestLoginsThatFail(t *testing.T) {
	for name, tc := range map[string]struct {
		args     []string
		password string
		exit     int
		says     string
	}{
		"wrong password":         {[]string{"-u", "researcher"}, "wrong", 12, "Password check failed"},
		"no such user":           {[]string{"-u", "nobody"}, "secret", 12, "Password check failed"},
		"no password":            {[]string{"-u", "researcher"}, "", 52, "stdin is not a terminal: cannot request password"},
		"wrong sudo password":    {[]string{"-u", "researcher", "-g", "Demo", "--sudo", "root"}, "wrong", 12, "Password check failed"},
		"sudo for nobody":        {[]string{"-u", "nobody", "-g", "Demo", "--sudo", "root"}, omerotest.RootPassword, 13, "User account error: Cannot find a user with name nobody."},
		"sudo for nobody at all": {[]string{"-u", "nobody", "--sudo", "root"}, omerotest.RootPassword, 44, "Can't find default group for nobody"},
		"sudo, another's group":  {[]string{"-u", "researcher", "-g", "Other", "--sudo", "root"}, omerotest.RootPassword, 45, "is not a member of group"},
		"sudo, no such group":    {[]string{"-u", "researcher", "-g", "Nowhere", "--sudo", "root"}, omerotest.RootPassword, 44, "No such group: Nowhere"},
		"sudo as a user":         {[]string{"-u", "researcher", "-g", "Demo", "--sudo", "colleague"}, "secret", 45, "SecurityViolation"},
		"sudo without it":        {[]string{"-u", "researcher", "-g", "Demo", "--sudo", "curator"}, "secret", 45, "SecurityViolation"},
		"own group of another":   {[]string{"-u", "researcher", "-g", "Other"}, "secret", 45, "SecurityViolation"},
		"server twice":           {[]string{"researcher@localhost"}, "secret", 3, "Server specified twice"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.AddGroup("Other", omerotest.ReadOnly)
			s.AddUser(omerotest.User{Name: "curator", Password: "secret", Admin: true})
			s.AddUser(omerotest.User{Name: "colleague", Password: "secret"})
			if tc.password != "" {
				s.env = append(s.env, "OMERO_PASSWORD="+tc.password)
			}
			r := s.run(s.logins(tc.args...)...)
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Contains(t, r.errors, tc.says)
			require.Empty(t, r.out)
			require.Empty(t, s.State().Sessions)
		})
	}
}

func TestServersThatAreNotThere(t *testing.T) {
	s := newSite(t)
	s.env = append(s.env, "OMERO_PASSWORD=secret")
	r := s.run("login", "-C", "-s", "localhost", "-p", "14064", "-u", "researcher")
	require.Equal(t, 42, r.exit)
	require.Contains(t, r.errors, "Ice.ConnectionRefusedException: localhost:14064 isn't running")
	r = s.run("login", "-C", "-s", "omero.example.org", "-u", "researcher")
	require.Equal(t, 43, r.exit)
	require.Contains(t, r.errors, "Ice.DNSException: bad host name: 'omero.example.org'")
	s.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused})
	require.Equal(t, 42, s.run(s.logins("-u", "researcher")...).exit)
	require.Zero(t, s.run(s.logins("-u", "researcher")...).exit)
}

// A bad key and a server that is down are the same to who joins a session.
func TestKeysThatFail(t *testing.T) {
	s := newSite(t)
	key := s.login()
	query := []string{"hql", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "select e.id from Experimenter e where e.omeName='root'"}
	require.Zero(t, s.run(query...).exit)
	s.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused})
	r := s.run(query...)
	require.Equal(t, 11, r.exit)
	require.Contains(t, r.errors, "Bad session key. Cannot join "+key+" on localhost:4064.")
	require.Zero(t, s.run(query...).exit)

	r = s.run("hql", "-q", "-k", key, "select 1")
	require.NotZero(t, r.exit, "a key needs a server")
	r = s.run("hql", "-q", "-s", s.Host, "-k", "8afe443f-19fc-4cc4-bf4a-850ec94f4650", "select 1")
	require.Equal(t, 11, r.exit)
}

func TestSessionsEndWhenIdle(t *testing.T) {
	s := newSite(t)
	s.Change(func(o *omerotest.Options) { o.IdleTimeout = 2 * time.Second })
	s.env = append(s.env, "OMERO_PASSWORD=secret")
	require.Zero(t, s.run(s.logins("-u", "researcher")...).exit)
	key := s.State().Sessions[0].UUID
	query := []string{"hql", "-q", "select e.id from Experimenter e where e.omeName='root'"}
	require.Zero(t, s.run(query...).exit, "the session that was last used")
	time.Sleep(2200 * time.Millisecond)
	r := s.run(query...)
	require.Equal(t, 52, r.exit)
	require.Contains(t, r.out, "Previous session expired for researcher on localhost:4064", "on standard output")
	require.Contains(t, r.errors, "stdin is not a terminal: cannot request server")
	r = s.run("hql", "-q", "-s", s.Host, "-k", key, "select 1")
	require.Equal(t, 11, r.exit)
}

func TestIdleTimeoutThatWasAskedFor(t *testing.T) {
	s := newSite(t)
	s.login()
	session := s.State().Sessions[0]
	require.Equal(t, 6000*time.Second, session.Idle)
	require.Equal(t, "root", session.By)
	require.Equal(t, s.user, session.User)
	require.Equal(t, s.group, session.Group)
	r := s.run(s.logins("-u", "researcher", "-g", "Demo", "--sudo", "root", "-t", "999999")...)
	require.Zero(t, r.exit)
	require.Equal(t, 6000*time.Second, s.State().Sessions[1].Idle, "and no more")
	r = s.run(s.logins("-u", "researcher", "-g", "Demo", "--sudo", "root", "-t", "-5")...)
	require.Zero(t, r.exit)
	require.Contains(t, r.errors, "Invalid session timeout requested")
	require.Equal(t, 10*time.Minute, s.State().Sessions[2].Idle)
}

func TestLogoutAlwaysSucceeds(t *testing.T) {
	s := newSite(t)
	require.Zero(t, s.run("logout").exit)
	key := s.login()
	require.Equal(t, key, strings.TrimSpace(s.run("sessions", "key").out))
	require.Zero(t, s.run("sessions", "logout").exit)
	require.True(t, s.State().Sessions[0].Closed)
	require.Empty(t, s.run("sessions", "key").out)
	require.Zero(t, s.run("logout").exit)
}

func TestLogoutThatDoesNotReachTheServer(t *testing.T) {
	s := newSite(t)
	key := s.login()
	s.Fail(omerotest.Fault{At: omerotest.AtLogout, Kind: omerotest.Lost})
	require.Zero(t, s.run("logout").exit)
	require.False(t, s.State().Sessions[0].Closed)
	require.Empty(t, s.run("sessions", "key").out)
	query := []string{"hql", "-q", "-s", s.Host, "-k", key, "select e.id from Experimenter e where e.omeName='root'"}
	require.Zero(t, s.run(query...).exit)
	s.CloseSessions()
	require.Equal(t, 11, s.run(query...).exit)
}

func TestLocalStore(t *testing.T) {
	s := newSite(t)
	key := s.login()
	dir := strings.TrimPrefix(s.env[0], "OMERO_SESSIONDIR=")
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for file, want := range map[string]string{
		"._LASTHOST_":                      "localhost",
		"._LASTPORT_":                      "4064",
		"localhost/._LASTUSER_":            "researcher",
		"localhost/researcher/._LASTSESS_": key,
		"localhost/researcher/" + key:      "omero.group=Demo\nomero.host=localhost\nomero.port=4064\nomero.sess=" + key + "\nomero.sudo=root\nomero.timeout=6000\nomero.user=researcher\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.Equal(t, want, string(text), file)
	}
	require.Zero(t, s.run("logout").exit)
	require.NoFileExists(t, filepath.Join(dir, "localhost/researcher", key))
}

func TestRefusesRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can see it")
	}
	s := newSite(t)
	s.Change(func(o *omerotest.Options) { o.RefuseRoot = true })
	r := s.run("version")
	require.Equal(t, 1, r.exit)
	require.Equal(t, "FATAL: Running omero as root can corrupt your directory permissions.\n", r.out)
}

func TestRecordsCalls(t *testing.T) {
	s := newSite(t)
	s.env = []string{"PATH=/bin", "SECRET=x"}
	require.Zero(t, s.run("version").exit)
	require.Equal(t, 2, s.run("import", "--foo").exit)
	calls := s.State().Calls
	require.Len(t, calls, 2)
	require.Equal(t, []string{"version"}, calls[0].Argv)
	require.Equal(t, []string{"PATH", "SECRET"}, calls[0].Env)
	require.Equal(t, 2, calls[1].Exit)
	dir, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, dir, calls[0].Dir)
}
