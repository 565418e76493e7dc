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

// importThree imports three files after a fault was planned.
func (s *site) importThree(key string, f omerotest.Fault, more ...string) result {
	s.t.Helper()
	f.At = omerotest.AtImport
	s.Fail(f)
	args := append(s.importArgs(key, "--output", "yaml", "-d", "51"), more...)
	for _, name := range []string{"a.tif", "b.tif", "c.tif"} {
		args = append(args, s.file(name, []byte("pixels")))
	}
	return s.run(args...)
}

func TestImportFaults(t *testing.T) {
	const killed = -1
	for name, tc := range map[string]struct {
		fault    omerotest.Fault
		args     []string
		exit     int
		printed  int // records
		filesets int
		linked   int // files in the repository
		images   int
		says     string
	}{
		"connection lost":            {omerotest.Fault{Kind: omerotest.Lost, After: 1}, nil, 2, 1, 1, 1, 1, "Ice.ConnectionLostException"},
		"connection lost, going on":  {omerotest.Fault{Kind: omerotest.Lost, After: 1}, []string{"-c"}, 0, 1, 1, 1, 1, "Ice.ConnectionLostException"},
		"answer lost":                {omerotest.Fault{Kind: omerotest.LostBeforePrint, After: 1}, nil, 2, 1, 2, 2, 2, "Ice.ConnectionLostException"},
		"timed out":                  {omerotest.Fault{Kind: omerotest.TimedOut}, nil, 2, 0, 0, 0, 0, "Ice.TimeoutException"},
		"session gone":               {omerotest.Fault{Kind: omerotest.SessionGone, After: 2}, nil, 2, 2, 2, 2, 2, "Ice.ObjectNotExistException"},
		"refused by the server":      {omerotest.Fault{Kind: omerotest.Refused}, nil, 2, 0, 0, 0, 0, "Ice.ConnectionRefusedException"},
		"no such host":               {omerotest.Fault{Kind: omerotest.NoSuchHost}, nil, 2, 0, 0, 0, 0, "Failed to look up domain name"},
		"no output":                  {omerotest.Fault{Kind: omerotest.NoOutput}, nil, 0, 0, 0, 0, 0, ""},
		"clean-up":                   {omerotest.Fault{Kind: omerotest.Cleanup}, nil, 3, 3, 3, 3, 3, "Failed to cleanup"},
		"no access":                  {omerotest.Fault{Kind: omerotest.NoAccess, After: 1}, nil, 2, 1, 2, 1, 1, "You likely do not have access to the ManagedRepository"},
		"no access, going on":        {omerotest.Fault{Kind: omerotest.NoAccess, After: 1}, []string{"-c"}, 0, 2, 3, 2, 2, "does not exist!"},
		"no size":                    {omerotest.Fault{Kind: omerotest.NoSize}, nil, 2, 0, 1, 1, 0, "The server could not check the size of the file"},
		"disk full":                  {omerotest.Fault{Kind: omerotest.DiskFull, After: 2}, nil, 2, 2, 2, 2, 2, "No space left on device"},
		"disk full for good, all":    {omerotest.Fault{Kind: omerotest.DiskFull, After: 1, Times: -1}, []string{"-c"}, 0, 1, 1, 1, 1, "No space left on device"},
		"garbage":                    {omerotest.Fault{Kind: omerotest.Garbage, After: 1}, nil, 0, 2, 3, 3, 3, ""},
		"truncated":                  {omerotest.Fault{Kind: omerotest.Truncated, After: 2}, nil, 0, 2, 3, 3, 3, ""},
		"crash":                      {omerotest.Fault{Kind: omerotest.Crash, After: 1}, nil, killed, 1, 1, 1, 1, ""},
		"java killed":                {omerotest.Fault{Kind: omerotest.JavaKilled, After: 1}, nil, 247, 1, 1, 1, 1, ""},
		"crash before link":          {omerotest.Fault{Kind: omerotest.CrashBeforeLink, After: 1}, nil, killed, 1, 2, 1, 1, ""},
		"crash after link":           {omerotest.Fault{Kind: omerotest.CrashAfterLink, After: 1}, nil, killed, 1, 2, 2, 1, ""},
		"crash before print":         {omerotest.Fault{Kind: omerotest.CrashBeforePrint, After: 1}, nil, killed, 1, 2, 2, 2, ""},
		"crash after print":          {omerotest.Fault{Kind: omerotest.CrashAfterPrint, After: 1}, nil, killed, 2, 2, 2, 2, ""},
		"stands still for a moment":  {omerotest.Fault{Kind: omerotest.Hang, After: 1, Delay: time.Millisecond}, nil, 0, 3, 3, 3, 3, ""},
		"after more files than come": {omerotest.Fault{Kind: omerotest.Crash, After: 7}, nil, 0, 3, 3, 3, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			r := s.importThree(key, tc.fault, tc.args...)
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Contains(t, r.errors, tc.says)
			state := s.State()
			require.Len(t, state.Filesets, tc.filesets)
			require.Len(t, state.Images, tc.images)
			found := 0
			for _, fs := range state.Filesets {
				if _, err := os.Lstat(filepath.Join(s.Repository, fs.Files[0])); err == nil {
					found++
				}
			}
			require.Equal(t, tc.linked, found)
			switch tc.fault.Kind {
			case omerotest.Garbage:
				require.Contains(t, r.out, "\x00")
			case omerotest.Truncated:
				require.Equal(t, 3, strings.Count(r.out, "---\n"))
				require.NotEqual(t, "\n", r.out[len(r.out)-1:])
			default:
				require.Len(t, records(t, r.out), tc.printed, r.out)
			}
			if tc.exit == killed {
				require.Equal(t, omerotest.Running, state.Calls[len(state.Calls)-1].Exit)
			}
			if tc.fault.Kind == omerotest.SessionGone {
				require.Equal(t, 11, s.run(s.importArgs(key, s.file("a.tif", []byte("x")))...).exit)
			} else if tc.fault.Times == 0 && tc.fault.After < 3 {
				require.Zero(t, s.run(s.importArgs(key, s.file("d.tif", []byte("x")))...).exit, "it strikes once")
			}
		})
	}
}

func TestFaultsOfCommands(t *testing.T) {
	query := "select e.id from Experimenter e where e.omeName='root'"
	for name, tc := range map[string]struct {
		fault omerotest.Fault
		exit  int
		out   string
	}{
		"hql lost":      {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.Lost}, 1, ""},
		"hql garbage":   {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.Garbage}, 0, "WARNING:root:something else\n[{\"#\": \"0\", \"Col1\": \"0\"}]\n"},
		"hql truncated": {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.Truncated}, 0, "[{\"#\": \"0\", "},
		"hql silent":    {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.NoOutput}, 0, ""},
		"hql killed":    {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.Crash}, -1, ""},
		"hql refused":   {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.Refused}, 1, ""},
		"hql gone":      {omerotest.Fault{At: omerotest.AtHQL, Kind: omerotest.SessionGone}, 1, ""},
		"login lost":    {omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Lost}, 11, ""},
		"login killed":  {omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Crash}, -1, ""},
		"elsewhere":     {omerotest.Fault{At: omerotest.AtObj, Kind: omerotest.Crash}, 0, "[{\"#\": \"0\", \"Col1\": \"0\"}]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			s.Fail(tc.fault)
			r := s.run("hql", "-q", "-s", s.Host, "-k", key, "--style", "json", query)
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Equal(t, tc.out, r.out)
		})
	}
}

func TestLoginFaults(t *testing.T) {
	for kind, exit := range map[omerotest.FaultKind]int{
		omerotest.Refused: 42, omerotest.NoSuchHost: 43, omerotest.OtherLogin: 44, omerotest.Lost: 44, omerotest.Violation: 45,
	} {
		s := newSite(t)
		s.env = append(s.env, "OMERO_PASSWORD=secret")
		s.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: kind, Times: 2})
		for _, want := range []int{exit, exit, 0} {
			require.Equal(t, want, s.run(s.logins("-u", "researcher")...).exit, kind)
		}
		s.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: kind, Times: -1})
		for range 4 {
			require.Equal(t, exit, s.run(s.logins("-u", "researcher")...).exit, kind)
		}
		s.Heal()
		require.Zero(t, s.run(s.logins("-u", "researcher")...).exit, kind)
	}
	s := newSite(t)
	s.env = append(s.env, "OMERO_PASSWORD=wrong")
	s.Change(func(o *omerotest.Options) { o.NoTerminal = true })
	r := s.run(s.logins("-u", "researcher")...)
	require.Equal(t, 52, r.exit)
	require.Contains(t, r.errors, "cannot request password")
}

func TestObjDiesInTheMiddle(t *testing.T) {
	for kind, exit := range map[omerotest.FaultKind]int{omerotest.Crash: -1, omerotest.Lost: 1, omerotest.NoOutput: 0} {
		s := newSite(t)
		key := s.login()
		s.Fail(omerotest.Fault{At: omerotest.AtObj, Kind: kind, After: 2})
		r := s.objects(key, strings.Repeat("new Dataset name=x\n", 4))
		require.Equal(t, exit, r.exit, r.errors)
		require.Equal(t, "Dataset:52\nDataset:53\n", r.out)
		require.Len(t, s.State().Datasets, 3)
	}
}

func TestDelays(t *testing.T) {
	s := newSite(t)
	key := s.login()
	s.Change(func(o *omerotest.Options) {
		o.PythonStart, o.JVMStart, o.FilesetTime = 20*time.Millisecond, 30*time.Millisecond, 40*time.Millisecond
	})
	start := time.Now()
	require.Zero(t, s.run("version").exit)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	start = time.Now()
	require.Zero(t, s.run(s.importArgs(key, s.file("a.tif", []byte("x")), s.file("b.tif", []byte("x")))...).exit)
	require.GreaterOrEqual(t, time.Since(start), 130*time.Millisecond)
}
