package omerotest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

// site is a server with a user in a group, who has a Dataset, and with an admin
// who may act for others.
type site struct {
	*omerotest.Omero
	t       *testing.T
	user    int64
	group   int64
	dataset int64
	screen  int64
	dir     string // of files to import
	env     []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	o := omerotest.New(t)
	s := &site{Omero: o, t: t, dir: t.TempDir()}
	s.user = o.AddUser(omerotest.User{Name: "researcher", Password: "secret"})
	s.group = o.AddGroup("Demo", omerotest.ReadOnly)
	o.AddMember(omerotest.Member{User: s.user, Group: s.group})
	s.dataset = o.AddDataset("Retina", s.user, s.group, 0)
	s.screen = o.AddScreen("Compounds", s.user, s.group)
	s.env = []string{"OMERO_SESSIONDIR=" + filepath.Join(t.TempDir(), "sessions")}
	return s
}

// result is what a process left.
type result struct {
	exit        int
	out, errors string
}

func (s *site) run(args ...string) result { return s.feed("", args...) }

func (s *site) feed(stdin string, args ...string) result {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.CLI, args...)
	cmd.Env = s.env
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		require.IsType(s.t, &exec.ExitError{}, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// login opens a session for the researcher, and returns its key.
func (s *site) login() string {
	s.t.Helper()
	s.env = append(s.env, "OMERO_PASSWORD="+omerotest.RootPassword)
	r := s.run("-q", "login", "-C", "-s", s.Host, "-p", s.Port, "-u", "researcher", "-g", "Demo", "--sudo", "root", "-t", "6000")
	require.Zero(s.t, r.exit, r.errors)
	r = s.run("sessions", "key")
	require.Zero(s.t, r.exit, r.errors)
	return strings.TrimSpace(r.out)
}

// file writes a file to import.
func (s *site) file(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, content, 0o600))
	return path
}

func TestSlice(t *testing.T) {
	s := newSite(t)
	key := s.login()
	r := s.run("import", "-s", s.Host, "-p", s.Port, "-k", key, "-d", "51", "--transfer", "ln_s", "--encrypted", "true",
		"--output", "yaml", s.file("a.tif", []byte("a")), s.file("b.czi", omerotest.ImagesFile(2)))
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, 2, strings.Count(r.out, "---\n"), r.out)

	r = s.run("hql", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "--limit=-1", "--style", "json",
		"select i.fileset.id, i.id from Image i where i.fileset.id in ( 4101 , 4102)")
	require.Zero(t, r.exit, r.errors)
	require.JSONEq(t, `[{"#":"0","Col1":"4102","Col2":"5003"},{"#":"1","Col1":"4102","Col2":"5002"},{"#":"2","Col1":"4101","Col2":"5001"}]`, r.out)

	r = s.feed("ann = new MapAnnotation 'ns=biomero.import'\nnew ImageAnnotationLink parent=Image:5001 child@=ann\n",
		"obj", "-q", "-s", s.Host, "-k", key, "--file", "-")
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, []int64{5001}, s.State().Annotations[0].Images)

	require.Zero(t, s.run("logout").exit)
	require.True(t, s.State().Sessions[0].Closed)
	r = s.run("hql", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "select 1")
	require.Equal(t, 11, r.exit, r.errors)
}
