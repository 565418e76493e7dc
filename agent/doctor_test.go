package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer/omero/omerotest"
)

// examination is what doctor --json prints.
type examination struct {
	Checks []check `json:"checks"`
	Audit  *struct {
		Complete   bool                 `json:"complete"`
		Error      string               `json:"error"`
		Unseen     string               `json:"unseen"`
		Violations int                  `json:"violations"`
		Rules      map[string]int       `json:"rules"`
		Found      []tracking.Violation `json:"found"`
	} `json:"audit"`
}

type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

func (s *site) examine(args ...string) (e examination, status int) {
	s.t.Helper()
	out, errs, status := s.run(append([]string{"doctor", "--json"}, args...)...)
	require.NoError(s.t, json.Unmarshal([]byte(out), &e), errs)
	return e, status
}

func TestDoctor_auditsWhatAServiceHasDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	sound := func(when string) {
		t.Helper()
		e, status := s.examine("--audit")
		require.Zero(t, status, "%s: %v", when, e)
		require.True(t, e.Audit.Complete, when)
		require.Zero(t, e.Audit.Violations, when)
		require.Empty(t, e.Audit.Found, when)
	}
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "dropped.tif")
	s.ended(s.orderOf("dropped"), 1)
	s.write(goodManifest, "Demo", "ada", "orders", "x.order.yml")
	s.write("pixels", "Demo", "ada", "orders", "a.tif")
	s.ended(s.orderOf("a.tif"), 1)
	var ids []string
	for n := range 20 {
		ids = append(ids, s.insert(s.write("pixels", "many", string(rune('a'+n))+".tif"), s.path("data", "late.tif")))
	}
	sound("while orders are carried out")
	for _, id := range ids {
		require.Equal(t, order.Failed, s.ended(id, 1).Stage)
	}
	s.write("pixels", "late.tif")
	for n, id := range ids {
		if n%2 == 0 {
			_, err := s.store.Pool().Exec(t.Context(), `UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, id)
			require.NoError(t, err)
		} else {
			require.NoError(t, s.store.Retry(t.Context(), id, false))
		}
	}
	sound("while they are retried")
	a.kill()
	out, errs, status := s.run("doctor", "--audit")
	require.Zero(t, status, "after a crash, what was under way is worth a look: %s %s", out, errs)
	a = s.start()
	for _, id := range ids {
		require.Equal(t, order.Completed, s.ended(id, 2).Stage)
	}
	sound("at last")
	a.stop()
	sound("while no service runs")
	out, _, _ = s.run("doctor", "--audit")
	for _, line := range []string{"settings: " + s.settings, "base_dir: " + s.path("data"), "repository: " + s.path("state", "repository"), "audit: violations: 0"} {
		require.Contains(t, out, "ok     "+line)
	}
}

func TestDoctor_tellsOfEachViolation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	var ids, links []string
	for _, name := range []string{"a.tif", "b.tif", "c.tif", "d.tif"} {
		id := s.insert(s.write("pixels", name))
		require.Equal(t, order.Completed, s.ended(id, 1).Stage)
		ids = append(ids, id)
		found, err := filepath.Glob(s.path("state", "repository", "*", "*", "*", "*", name))
		require.NoError(t, err)
		require.Len(t, found, 1)
		links = append(links, found[0])
	}
	a.stop()
	require.NoError(t, os.Remove(links[0]))
	require.NoError(t, os.Remove(links[1]))
	require.NoError(t, os.Remove(links[2]))
	require.NoError(t, os.Symlink("/etc/passwd", links[2]))
	require.NoError(t, os.Symlink("/etc/passwd", links[3]+"2"))
	require.NoError(t, os.Symlink("/etc/passwd", links[3]+"\xff"))
	require.NoError(t, os.WriteFile(links[3]+".tmp", nil, 0o600))
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE importer.orders SET state = 'failed', reason = 'no' WHERE uuid = $1`, ids[3])
	require.NoError(t, err)

	e, status := s.examine("--audit", "--limit", "1")
	require.Equal(t, 5, status)
	require.Equal(t, map[string]int{"disk-missing": 2, "disk-elsewhere": 1, "disk-unrecorded": 2, "disk-stray": 1, "order-stage": 1}, e.Audit.Rules)
	require.Equal(t, 7, e.Audit.Violations)
	require.Len(t, e.Audit.Found, 5, "one of each rule")

	out, errs, status := s.run("doctor", "--audit", "--limit", "1")
	require.Equal(t, 5, status)
	require.Empty(t, errs)
	require.Contains(t, out, "\nwrong  order-stage  "+ids[3]+"  the order is failed, its newest row Import Completed\n")
	require.Contains(t, out, "\n...    disk-missing: 1 more\n")
	require.Contains(t, out, "\nwrong  audit: violations: 7, worth a look: 0\n")
	out, _, _ = s.run("doctor", "--audit")
	require.Equal(t, 2, strings.Count(out, "\nwrong  disk-missing  "))

	require.NoError(t, os.RemoveAll(s.path("state", "repository")))
	e, status = s.examine("--audit")
	require.Equal(t, 5, status)
	require.Equal(t, map[string]int{"disk-folder": 1, "order-stage": 1}, e.Audit.Rules, "said once")
}

// An audit that ends early has found nothing to be well.
func TestDoctor_saysThatAnAuditWasNotFinished(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.store.Pool().Exec(t.Context(), `DROP TABLE importer.reports CASCADE`)
	require.NoError(t, err)
	e, status := s.examine("--audit")
	require.Equal(t, 2, status, "these are not the tables of this program")
	require.False(t, e.Audit.Complete)
	require.Contains(t, e.Audit.Error, "reports")
	out, _, status := s.run("doctor", "--audit")
	require.Equal(t, 2, status, "these are not the tables of this program")
	require.Contains(t, out, "\nwrong  audit: not finished: ")
	require.NotContains(t, out, "ok     audit")
}

func TestDoctor_saysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings func(s *site)
		wrong    string
		status   int
	}{
		"settings": {func(s *site) { s.configure("max_worker: 3\n") }, "settings", 2},
		"base_dir": {func(s *site) { require.NoError(s.t, os.Remove(s.path("data"))) }, "base_dir", 2},
		"no database": {func(s *site) {
			s.url = "postgresql://ada:hunter2@127.0.0.1:1/db?connect_timeout=1"
			s.configure("")
		}, "database", 4},
		"no tables": {func(s *site) {
			s.url = trackingtest.EmptyURL(s.t)
			s.configure("")
		}, "database", 2},
		"repository": {func(s *site) {
			require.NoError(s.t, os.MkdirAll(s.path("state"), 0o755))
			require.NoError(s.t, os.WriteFile(s.path("state", "repository"), nil, 0o600))
		}, "repository", 1},
		"no folder below a file": {func(s *site) {
			require.NoError(s.t, os.WriteFile(s.path("logs"), nil, 0o600))
		}, "logs", 2},
		"a watched folder": {func(s *site) {
			s.configure("  - path: " + s.path("data", "away") + "\n")
		}, "watch", 2},
		"podman": {func(s *site) {
			s.configure("podman: {socket: " + s.path("podman.sock") + "}\n")
		}, "podman", 4},
		"nothing yet": {func(s *site) {
			s.url = "embedded"
			s.configure("")
		}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			tc.settings(s)
			e, status := s.examine("--audit")
			require.Equal(t, tc.status, status, e)
			var wrong []string
			for _, c := range e.Checks {
				if !c.OK {
					wrong = append(wrong, c.Name)
					require.Equal(t, "wrong", c.State)
					require.NotEmpty(t, c.Fix, c.Name)
				}
				require.NotContains(t, c.Detail, "hunter2")
			}
			require.Equal(t, strings.Fields(tc.wrong), append([]string{}, wrong...))
			if e.Audit != nil {
				require.Equal(t, tc.wrong == "repository", e.Audit.Unseen != "", e)
				require.Zero(t, e.Audit.Violations, "what cannot be read is not said to be missing")
			}
			_, errs, _ := s.run("doctor")
			require.Empty(t, errs, "it is told as a check")
		})
	}
}

// fault is the fix that doctor has for a check, which has to be wrong, and its detail.
func (s *site) fault(name string) (detail, fix string) {
	s.t.Helper()
	e, status := s.examine()
	require.NotZero(s.t, status)
	for _, c := range e.Checks {
		if c.Name == name && c.State == "wrong" {
			return c.Detail, c.Fix
		}
	}
	require.Failf(s.t, "nothing is wrong with it", "%s: %+v", name, e)
	return "", ""
}

// A check that is lost would not be missed.
func TestDoctor_makesTheChecks(t *testing.T) {
	t.Parallel()
	names := func(s *site) (names []string) {
		e, status := s.examine()
		require.Zero(s.t, status, e)
		for _, c := range e.Checks {
			names = append(names, c.Name)
		}
		return names
	}
	ours := []string{
		"settings", "base_dir", "base_dir space", "share clock", "receipts", "watch", "filesystem", "inotify",
		"state_dir", "state_dir space", "logs", "podman.temp_dir", "podman.temp_dir space", "podman",
	}
	database := []string{"database", "database rights", "database clock"}
	require.Equal(t, slices.Concat(ours, []string{"repository"}, database), names(newSite(t)))
	require.Equal(t, slices.Concat(ours, []string{
		"omero.managed_repository", "omero.managed_repository space", "omero mounts", "omero server", "omero", "omero sudo", "omero repository",
	}, database), names(newOMEROSite(t).site))
}

// Folders that are only scanned take no watches, however many they are.
func TestDoctor_countsTheFoldersThatAreWatched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "a.tif")
	inotify := func() string {
		e, status := s.examine()
		require.Zero(t, status, e)
		for _, c := range e.Checks {
			if c.Name == "inotify" {
				return c.Detail
			}
		}
		return ""
	}
	require.Contains(t, inotify(), "5 folders, ")
	text, err := os.ReadFile(s.settings)
	require.NoError(t, err)
	scanned := strings.ReplaceAll(string(text), "settle: 300ms", "settle: 300ms\n    mode: scan")
	require.NoError(t, os.WriteFile(s.settings, []byte(scanned), 0o600))
	require.Contains(t, inotify(), "0 folders, ")
}

func TestDoctor_asksOMERO(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	e, status := s.examine()
	require.Zero(t, status, e)
	states := map[string]string{}
	for _, c := range e.Checks {
		states[c.Name] = c.State
	}
	require.Equal(t, "ok", states["omero"])
	require.Equal(t, "ok", states["omero sudo"])
	require.Equal(t, "ok", states["omero mounts"])
	require.Equal(t, "ok", states["omero repository"])
	require.Equal(t, "unknown", states["omero server"], "it is said what cannot be seen")

	s.omero.Change(func(o *omerotest.Options) { o.Repository = "/OMERO/ManagedRepository" })
	elsewhere, _ := s.fault("omero repository")
	require.Contains(t, elsewhere, "the server has this folder at /OMERO/ManagedRepository, and not at "+s.omero.Repository)
	s.omero.Change(func(o *omerotest.Options) { o.Repository, o.RepositoryUUID = s.omero.Repository, "another" })
	another, _ := s.fault("omero repository")
	require.Contains(t, another, "is a repository of another server")

	s.atOMERO("wrong")
	_, fix := s.fault("omero")
	require.Contains(t, fix, "OMERO_PASSWORD")
	s.omero.AddUser(omerotest.User{Name: "curator", Password: "secret", Admin: true})
	s.configure(fmt.Sprintf("\nbackend: omero\nomero: {host: %s, port: %s, user: curator, password: secret, cli: %q, managed_repository: %q}\n",
		s.omero.Host, s.omero.Port, s.omero.CLI, s.path("data")))
	detail, fix := s.fault("omero sudo")
	require.Contains(t, detail, "act for others")
	require.Equal(t, "Have an administrator of OMERO give curator the privilege Sudo.", fix)
	detail, _ = s.fault("omero mounts")
	require.Contains(t, detail, "the same folder")
	out, _, _ := s.run("doctor")
	require.Contains(t, out, "       Have an administrator of OMERO give curator the privilege Sudo.\n")
}

func TestDoctor_comparesTheDatabasesClock(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	server := newServer(t, filepath.Join(dir, "db"))
	clock := newClock(t, server)
	r := openRig(t, dir, server)
	e, status := r.examine()
	require.Zero(t, status, e)
	clock.set(time.Hour)
	detail, fix := r.fault("database clock")
	require.Regexp(t, `^that of the database is (1h0m|59m5)\S+ ahead of ours$`, detail)
	require.Contains(t, fix, "NTP")
}

// A service that says no more than doctor asks stands in for podman.
func TestDoctor_saysWhatPodmanCannotLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", s.path("podman.sock"))
	require.NoError(t, err)
	var controllers atomic.Value
	service := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Libpod-API-Version", "5.0.0")
		if strings.HasSuffix(r.URL.Path, "/info") {
			_, _ = fmt.Fprintf(w, `{"host": {"cgroupControllers": %s}, "version": {"Version": "5.0.0"}}`, controllers.Load())
		}
	})}
	served := make(chan error, 1)
	go func() { served <- service.Serve(listener) }()
	t.Cleanup(func() {
		_ = service.Close()
		<-served
	})
	at := "version 5.0.0 at unix://" + s.path("podman.sock")
	for _, tc := range []struct {
		controllers, strict  string
		state, detail, about string
		status               int
	}{
		{`["cpu", "memory", "pids"]`, "true", "ok", at, "", 0},
		{`["cpu"]`, "false", "look", at + "; its host cannot limit memory, pids", "delegate", 0},
		{`["cpu"]`, "true", "wrong", "its host cannot limit memory, pids, which podman.strict asks for: no converter runs", "delegate", 2},
	} {
		controllers.Store(tc.controllers)
		s.configure("podman: {socket: " + s.path("podman.sock") + ", memory: 64m, cpus: 1.5, pids: 50, strict: " + tc.strict + "}\n")
		e, status := s.examine()
		require.Equal(t, tc.status, status, e)
		i := slices.IndexFunc(e.Checks, func(c check) bool { return c.Name == "podman" })
		require.NotEqual(t, -1, i, "it is looked at")
		require.Equal(t, tc.state, e.Checks[i].State)
		require.Equal(t, tc.detail, e.Checks[i].Detail)
		require.Contains(t, e.Checks[i].Fix, tc.about)
		require.Equal(t, tc.about == "", e.Checks[i].Fix == "")
	}
}
