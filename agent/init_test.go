package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/terminal/terminaltest"
)

// initRun runs init in a folder of its own.
func initRun(t *testing.T, dir string, env []string, args ...string) (output string, status int) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"init"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

func TestInit_writesWhatDoctorFindsWell(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := s.path("new.yml")
	out, status := initRun(t, s.dir, nil, "--base-dir", s.path("data"), "--state-dir", s.path("state"),
		"--watch", s.path("data")+"/{group}/{user}/inbox/{dataset}", file)
	require.Zero(t, status, out)
	require.Contains(t, out, "biomero-importer doctor --config "+file)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	s.settings = file
	e, status := s.examine()
	require.Zero(t, status, e)
	require.Equal(t, "settings", e.Checks[0].Name)
	require.Equal(t, "ok", e.Checks[0].State)

	before, err := os.ReadFile(file)
	require.NoError(t, err)
	out, status = initRun(t, s.dir, nil, "--base-dir", "/elsewhere", file)
	require.Equal(t, 2, status)
	require.Contains(t, out, "is there already")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)
	out, status = initRun(t, s.dir, nil, "--force", "--base-dir", "/elsewhere", file)
	require.Zero(t, status, out)
	require.Contains(t, out, "is "+file+".old1 now")
	after, err = os.ReadFile(file + ".old1")
	require.NoError(t, err)
	require.Equal(t, before, after)

	out, status = initRun(t, s.dir, nil, "--base-dir", "nowhere", s.path("wrong.yml"))
	require.Equal(t, 2, status)
	require.Contains(t, out, "base_dir")
	require.Contains(t, out, "absolute path")
	require.NoFileExists(t, s.path("wrong.yml"))
	left, err := filepath.Glob(s.path(".settings-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestInit_keepsPasswordsOutUnlessAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	password := []string{"OMERO_PASSWORD=hunter2"}
	out, status := initRun(t, dir, password, "--omero-host", "omero.example.org", "--omero-user", "root")
	require.Zero(t, status, out)
	require.Contains(t, out, "OMERO_PASSWORD")
	text, err := os.ReadFile(filepath.Join(dir, "settings.yml"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	out, status = initRun(t, dir, password, "--omero-host", "omero.example.org", "--with-password", "with.yml")
	require.Zero(t, status, out)
	require.NotContains(t, out, "hunter2")
	text, err = os.ReadFile(filepath.Join(dir, "with.yml"))
	require.NoError(t, err)
	require.Contains(t, string(text), `  password: "hunter2"`)
	out, status = initRun(t, dir, nil, "--database", "postgresql://ada:hunter2@db/x", "db.yml")
	require.Equal(t, 2, status)
	require.NotContains(t, out, "hunter2")
}

func TestInit_asksOnATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	screen := terminaltest.Open(t)
	cmd := exec.Command(binary, "init", "--database", "embedded")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, screen.Terminal, screen.Terminal, t.Output()
	require.NoError(t, cmd.Start())
	for _, dialog := range [][2]string{
		{"The shared storage", "/srv/share"},
		{"What imports", "omero"},
		{"OMERO's server", "omero.example.org"},
		{"Its account", ""},
		{"Its managed repository", ""},
		{"A folder to watch", ""},
	} {
		screen.Await(dialog[0])
		screen.Type(dialog[1])
	}
	require.NoError(t, cmd.Wait())
	require.NotContains(t, screen.Text(), "tracking database", "a flag has answered it")
	text, err := os.ReadFile(filepath.Join(dir, "settings.yml"))
	require.NoError(t, err)
	for _, line := range []string{
		`base_dir: "/srv/share"`, `backend: "omero"`, `  host: "omero.example.org"`, `  user: "root"`,
		`  - path: "/srv/share/{group}/{user}/inbox/{dataset}"`,
	} {
		require.Contains(t, strings.Split(string(text), "\n"), line)
	}
}
