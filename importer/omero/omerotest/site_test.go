package omerotest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

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
	cpu, took   time.Duration
}

func (s *site) run(args ...string) result { return s.feed("", args...) }

func (s *site) feed(stdin string, args ...string) result {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.CLI, args...)
	cmd.Env = s.env
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	if err != nil {
		require.ErrorAs(s.t, err, new(*exec.ExitError))
	}
	return result{
		cmd.ProcessState.ExitCode(), out.String(), errs.String(),
		cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), time.Since(start),
	}
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

// importArgs are the arguments of an in-place import within a session.
func (s *site) importArgs(key string, more ...string) []string {
	args := []string{"import", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "--transfer", "ln_s", "--encrypted", "true"}
	return append(args, more...)
}

// file writes a file to import.
func (s *site) file(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, content, 0o600))
	return path
}

// logins are the arguments of a login as the researcher, on behalf of an admin.
func (s *site) logins(more ...string) []string {
	return append([]string{"login", "-q", "-C", "-s", s.Host, "-p", s.Port}, more...)
}

// query runs a query within a session, and returns the rows.
func (s *site) query(key, query string) [][]string {
	s.t.Helper()
	r := s.run("hql", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "--limit=-1", "--style", "json", query)
	require.Zero(s.t, r.exit, r.errors)
	var objects []map[string]string
	require.NoError(s.t, json.Unmarshal([]byte(r.out), &objects), r.out)
	rows := make([][]string, 0, len(objects))
	for i, o := range objects {
		require.Equal(s.t, strconv.Itoa(i), o["#"])
		var row []string
		for col := 1; ; col++ {
			value, ok := o[fmt.Sprintf("Col%d", col)]
			if !ok {
				break
			}
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	return rows
}

// decimal is a number as it is written.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// records reads what an import printed as YAML: of each record the ids by class.
func records(t *testing.T, out string) []map[string][]string {
	t.Helper()
	var all []map[string][]string
	for document := range strings.SplitSeq(out, "---\n") {
		record := map[string][]string{}
		for line := range strings.Lines(document) {
			if m := recordLine.FindStringSubmatch(line); m != nil {
				record[m[1]] = strings.Split(m[2], ",")
			}
		}
		if len(record) > 0 {
			all = append(all, record)
		}
	}
	return all
}

var recordLine = regexp.MustCompile(`^[- ] (\w+): \[?([0-9,]+)\]?\n$`)
