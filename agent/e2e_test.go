package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests here mostly wait, for other programs and for time to pass.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set("8")
	}
	dir, err := os.MkdirTemp("", "biomero-importer-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "biomero-importer")
	build := exec.Command("go", "build", "-race", "-tags", "failpoints", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building the program: %v\n%s", err, out))
	}
	code := trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	})
	removeContainers()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience bounds every wait; none should come near it.
const patience = 60 * time.Second

// site is a machine with a share, a database and settings.
type site struct {
	t        *testing.T
	dir      string
	url      string
	settings string
	store    *tracking.Store
}

// newSite makes a site whose agent watches inbox folders and manifest folders.
func newSite(t *testing.T) *site {
	t.Helper()
	return openSite(t, openDir(t), trackingtest.URL(t))
}

// openSite makes a site in a folder, with a database that has its tables.
func openSite(t *testing.T, dir, url string) *site {
	t.Helper()
	s := &site{t: t, dir: dir, url: url}
	require.NoError(t, os.MkdirAll(s.path("data"), 0o755))
	s.settings = filepath.Join(s.dir, "settings.yml")
	s.configure("")
	var err error
	s.store, err = tracking.Open(t.Context(), s.url, 4)
	require.NoError(t, err)
	t.Cleanup(s.store.Close)
	return s
}

// openDir is a temporary folder that a database server's own user may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "site-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// configure writes the settings, with more lines behind the usual ones.
func (s *site) configure(more string) {
	s.t.Helper()
	text := fmt.Sprintf(`
ingest_tracking_db: %q
base_dir: %[2]s/data
state_dir: %[2]s/state
log_file_path: %[2]s/logs/importer.log
shutdown_timeout: 10
web: {listen: ""}
watch:
  - path: %[2]s/data/{group}/{user}/inbox/{dataset}
    order: {group: "{group}", user: "{user}", destination: {type: Dataset, name: "{dataset}"}}
    settle: 300ms
  - path: %[2]s/data/{group}/{user}/orders
    settle: 300ms
%s`, s.url, s.dir, more)
	require.NoError(s.t, os.WriteFile(s.settings, []byte(text), 0o600))
}

func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// write makes a file below the share.
func (s *site) write(content string, parts ...string) string {
	s.t.Helper()
	path := s.path(append([]string{"data"}, parts...)...)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

func (s *site) read(parts ...string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(append([]string{"data"}, parts...)...))
	require.NoError(s.t, err)
	return string(data)
}

// agent is a running service.
type agent struct {
	s    *site
	cmd  *exec.Cmd
	done chan error
}

// start runs the service and waits until it has started.
func (s *site) start() *agent {
	s.t.Helper()
	a := s.launch()
	s.eventually(func() bool { return strings.Contains(s.log(), `"msg":"started"`) }, "the service starts")
	return a
}

// launch runs the service, with more in its environment.
func (s *site) launch(env ...string) *agent {
	s.t.Helper()
	require.NoError(s.t, os.RemoveAll(s.path("logs")))
	a := &agent{s: s, cmd: exec.Command(binary, "run", "--config", s.settings), done: make(chan error, 1)}
	a.cmd.Env = append(append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0"), env...)
	a.cmd.Stderr = s.t.Output()
	require.NoError(s.t, a.cmd.Start())
	go func() { a.done <- a.cmd.Wait() }()
	s.t.Cleanup(func() { _ = a.cmd.Process.Kill() })
	return a
}

// stop ends the service as a service manager does, and checks that it left well.
func (a *agent) stop() {
	a.s.t.Helper()
	require.NoError(a.s.t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(a.s.t, <-a.done, a.s.log())
}

// kill ends it as a power cut does.
func (a *agent) kill() {
	a.s.t.Helper()
	require.NoError(a.s.t, a.cmd.Process.Kill())
	<-a.done
}

func (s *site) log() string {
	data, err := os.ReadFile(s.path("logs", "importer.log"))
	if err != nil {
		return ""
	}
	return string(data)
}

func (s *site) eventually(ok func() bool, what string) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			require.Failf(s.t, "it did not happen", "%s\n%s", what, s.log())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// run runs a command of the program and returns what it printed and its status.
func (s *site) run(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	cmd := exec.Command(binary, append([]string{"--config", s.settings}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		require.NoError(s.t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// ended waits until the n-th attempt at an order has ended.
func (s *site) ended(id string, n int) *tracking.Status {
	s.t.Helper()
	var st *tracking.Status
	s.eventually(func() bool {
		var err error
		st, err = s.store.Show(s.t.Context(), id)
		return err == nil && st.Attempt == n && st.Ended != nil && st.Stage.Ended()
	}, "order "+id+" ends")
	return st
}

// orderOf waits for an order of a file of this name.
func (s *site) orderOf(name string) string {
	s.t.Helper()
	id := ""
	s.eventually(func() bool {
		list, err := s.store.Recent(s.t.Context(), 1000)
		require.NoError(s.t, err)
		for _, st := range list {
			if strings.Contains(st.FileNames, name) {
				id = st.UUID
			}
		}
		return id != ""
	}, "an order of "+name)
	return id
}

// stages counts an order's rows by stage.
func (s *site) stages(id string) (stages []string) {
	s.t.Helper()
	rows, err := s.store.Pool().Query(s.t.Context(), `SELECT stage FROM public.imports WHERE uuid = $1 ORDER BY "timestamp", id`, id)
	require.NoError(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var stage string
		require.NoError(s.t, rows.Scan(&stage))
		stages = append(stages, stage)
	}
	require.NoError(s.t, rows.Err())
	return stages
}

// insert places an order as psql would, and returns its uuid.
func (s *site) insert(files ...string) (id string) {
	s.t.Helper()
	list, err := json.Marshal(files)
	require.NoError(s.t, err)
	require.NoError(s.t, s.store.Pool().QueryRow(s.t.Context(), `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', '151', 'Dataset', 'Import Pending', gen_random_uuid()::text, $1) RETURNING uuid`, string(list)).Scan(&id))
	return id
}

// links is where the repository's links lead.
func (s *site) links() (targets []string) {
	s.t.Helper()
	_ = filepath.WalkDir(s.path("state", "repository"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type() == os.ModeSymlink {
			target, err := os.Readlink(path)
			require.NoError(s.t, err)
			targets = append(targets, target)
		}
		return nil
	})
	return targets
}

var completed = []string{"Import Pending", "Import Started", "Import Completed"}

func TestDrop_isImportedUnderTheFoldersUser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	early := s.write("pixels", "Demo", "ada", "inbox", "Retina", "early.tif")
	a := s.start()
	late := s.write("pixels", "Demo", "ada", "inbox", "Retina", "late 'x'.tif")
	for _, path := range []string{early, late} {
		id := s.orderOf(strings.TrimSuffix(filepath.Base(path), "'x'.tif"))
		st := s.ended(id, 1)
		require.Equal(t, order.Completed, st.Stage)
		require.Equal(t, "ada", st.User)
		require.Equal(t, "Demo", st.Group)
		require.Contains(t, s.links(), path)
		require.Equal(t, completed, s.stages(id))
	}
	a.stop()
	before, err := s.store.Recent(t.Context(), 100)
	require.NoError(t, err)

	// What was taken is not taken again.
	a = s.start()
	again := s.write("more pixels", "Demo", "ada", "inbox", "Retina", "again.tif")
	s.ended(s.orderOf(filepath.Base(again)), 1)
	after, err := s.store.Recent(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, after, len(before)+1)
	require.Len(t, s.links(), 3)
	a.stop()
}

const goodManifest = `group: Demo
user: ada
destination: {type: Dataset, id: 151}
files: ["*.tif"]
`

func TestManifest_isTakenWhenItsFilesAreThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	s.write(goodManifest, "Demo", "ada", "orders", "scan.order.yml")
	time.Sleep(500 * time.Millisecond) // it waits: nothing matches yet
	_, err := os.Stat(s.path("data", "Demo", "ada", "orders", "scan.order.yml.receipt.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	s.write("pixels", "Demo", "ada", "orders", "a.tif")
	s.write("pixels", "Demo", "ada", "orders", "b.tif")
	id := s.orderOf("a.tif")
	require.Equal(t, order.Completed, s.ended(id, 1).Stage)
	var receipt order.Receipt
	s.eventually(func() bool {
		data, err := os.ReadFile(s.path("data", "Demo", "ada", "orders", "scan.order.yml.receipt.json"))
		return err == nil && json.Unmarshal(data, &receipt) == nil && receipt.Stage == order.Completed
	}, "the receipt")
	require.Equal(t, id, receipt.UUID)
	require.Len(t, receipt.Files, 2)
	require.NotEmpty(t, receipt.Files[0].Images)
	a.stop()
}

func TestManifest_refusedSaysWhyAndCanBeMended(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	s.write("pixels", "Demo", "ada", "orders", "a.tif")
	s.write(strings.Replace(goodManifest, "user:", "usr:", 1), "Demo", "ada", "orders", "scan.order.yml")
	rejection := s.path("data", "Demo", "ada", "orders", "scan.order.yml.rejected.txt")
	s.eventually(func() bool { _, err := os.Stat(rejection); return err == nil }, "the rejection")
	text := s.read("Demo", "ada", "orders", "scan.order.yml.rejected.txt")
	require.Contains(t, text, `"user"`)
	require.Contains(t, text, "line 2")

	s.write(goodManifest, "Demo", "ada", "orders", "scan.order.yml")
	require.Equal(t, order.Completed, s.ended(s.orderOf("a.tif"), 1).Stage)
	s.eventually(func() bool { _, err := os.Stat(rejection); return os.IsNotExist(err) }, "the rejection goes")

	s.write(strings.Replace(goodManifest, "ada", "eve", 1), "Demo", "ada", "orders", "other.order.yml")
	s.eventually(func() bool {
		data, err := os.ReadFile(s.path("data", "Demo", "ada", "orders", "other.order.yml.rejected.txt"))
		return err == nil && strings.Contains(string(data), "eve")
	}, "acting for another user is refused")
	a.stop()
}

func TestManifest_claimsFilesOfAnInbox(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write(strings.Replace(goodManifest, "151", "99", 1), "Demo", "ada", "inbox", "Retina", "order.yml")
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "a.tif")
	a := s.start()
	st := s.ended(s.orderOf("a.tif"), 1)
	require.Equal(t, "99", st.DestinationID)
	time.Sleep(time.Second)
	list, err := s.store.Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 1, "the rule must not order it as well")
	a.stop()
}

func TestLegacyFile_isImportedAndMoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure("legacy: {core_groups: [core], path_map: {/DIVG: " + s.path("data") + "}}\n")
	a := s.start()
	s.write("pixels", "core", "a.tif")
	const id = "afe38fe0-ea2b-43e6-949d-364827c66230"
	s.write("Version: 2.0\nUUID: "+id+"\nUsername: \"007\"\nGroup: \"Demo\"\nDatasetID: 807\nFiles: ['/divg/core/a.tif']\n",
		"core", ".2BUploaded", "2024_01_31_10-20-30.txt")
	st := s.ended(s.orderOf("a.tif"), 1)
	require.Equal(t, order.Completed, st.Stage)
	require.Equal(t, "007", st.User)
	require.Equal(t, id, st.UUID)
	s.eventually(func() bool {
		_, err := os.Stat(s.path("data", "core", ".Uploaded", "007", "2024_01_31_10-20-30.txt"))
		return err == nil
	}, "the file moves")
	a.stop()
}

func TestRow_failsWithAReasonAndIsRetriedByUpdate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	missing := s.path("data", "late.tif")
	id := s.insert(missing)
	st := s.ended(id, 1)
	require.Equal(t, order.Failed, st.Stage)
	require.Contains(t, st.Description, "There is no file")
	s.write("pixels", "late.tif")
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, id)
	require.NoError(t, err)
	require.Equal(t, order.Completed, s.ended(id, 2).Stage)
	data, err := os.ReadFile(s.path("logs", "import."+id+".log"))
	require.NoError(t, err)
	require.Contains(t, string(data), `"attempt":2`)
	a.stop()
}

func TestKill_losesNothingAndDoesNothingTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var ids []string
	for i := range 60 {
		ids = append(ids, s.insert(s.write("pixels", fmt.Sprintf("img%d.tif", i))))
	}
	for range 3 {
		a := s.start()
		first := len(s.links())
		s.eventually(func() bool { return len(s.links()) > first || len(s.links()) == len(ids) }, "some are imported")
		a.kill()
	}
	a := s.start()
	for _, id := range ids {
		require.Equal(t, order.Completed, s.ended(id, 1).Stage)
		require.Equal(t, completed, s.stages(id))
	}
	require.Len(t, s.links(), len(ids))
	a.stop()
}

func TestEmbeddedDatabase_survivesAKill(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.url = "embedded"
	s.configure("")
	t.Cleanup(func() { s.run("order", "list") }) // whoever comes last stops the server
	a := s.start()
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "a.tif")
	s.eventually(func() bool { return len(s.links()) == 1 }, "the first import")
	a.kill()
	a = s.start()
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "b.tif")
	s.eventually(func() bool { return len(s.links()) == 2 }, "the second import")
	out, errs, status := s.run("order", "list", "--json")
	require.Zero(t, status, errs)
	var list []tracking.Status
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list, 2)
	a.stop()
}

func TestNoDatabase_isWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.url = "postgresql+psycopg2://ada:hunter2@127.0.0.1:1/db?connect_timeout=1"
	s.configure("")
	a := s.launch()
	s.eventually(func() bool { return strings.Contains(s.log(), "waiting for the database") }, "it says so")
	require.NotContains(t, s.log(), "hunter2")
	a.stop()
	_, errs, status := s.run("order", "list")
	require.Equal(t, 4, status, errs)
	require.NotContains(t, errs, "hunter2")
}

func TestWrongSettings_sayWhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure("max_worker: 3\n")
	_, errs, status := s.run("run")
	require.Equal(t, 2, status)
	require.Contains(t, errs, s.settings)
	require.Contains(t, errs, `"max_workers"`)
}

// A program that is older than the database works on, unless the tables say that it must not.
func TestOlderProgram(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	exec := func(sql string) {
		_, err := s.store.Pool().Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`INSERT INTO importer.schema_version (version_id, is_applied) VALUES (9999, true)`)
	_, errs, status := s.run("migrate")
	require.Zero(t, status, errs)
	a := s.start()
	require.Equal(t, order.Completed, s.ended(s.insert(s.write("pixels", "a.tif")), 1).Stage)
	a.stop()
	require.Contains(t, s.log(), "of a newer version, and serve this one")
	exec(`UPDATE importer.serves SET version = 9999`)
	for _, args := range [][]string{{"migrate"}, {"run"}, {"order", "list"}} {
		_, errs, status = s.run(args...)
		require.Equal(t, 2, status, "%v: %s", args, errs)
		if args[0] != "run" { // which writes it into the log
			require.Contains(t, errs, "serve only programs from version 9999 on")
		}
	}
	out, _, status := s.run("doctor")
	require.Equal(t, 2, status)
	require.Contains(t, out, "wrong  database: the database's tables are of version 9999")
}

func TestOrderCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	path := s.write("pixels", "a.tif")
	id, errs, status := s.run("order", "submit", "--group", "Demo", "--user", "ada", "--to", "Dataset:7", path)
	require.Zero(t, status, errs)
	id = strings.TrimSpace(id)
	s.ended(id, 1)
	out, _, status := s.run("order", "show", id)
	require.Zero(t, status)
	require.Contains(t, out, "Import Completed")
	_, _, status = s.run("order", "retry", id)
	require.Zero(t, status)
	s.ended(id, 2)
	out, _, _ = s.run("order", "list")
	require.Contains(t, out, id)

	manifest := s.write(goodManifest, "elsewhere", "x.order.yml")
	_, errs, status = s.run("order", "submit", "--manifest", manifest)
	require.Equal(t, 2, status)
	require.Contains(t, errs, "no file matches")
	s.write("pixels", "elsewhere", "b.tif")
	id, errs, status = s.run("order", "submit", "--manifest", manifest)
	require.Zero(t, status, errs)
	s.ended(strings.TrimSpace(id), 1)

	id, errs, status = s.run("order", "submit", "--group", "Demo", "--user", "ada", "--to", "Dataset:7", "--priority", "-5", path)
	require.Zero(t, status, errs)
	id = strings.TrimSpace(id)
	out, _, _ = s.run("order", "show", id)
	require.Regexp(t, `priority +-5\n`, out)
	out, _, _ = s.run("order", "show", id, "--json")
	require.Contains(t, out, `"priority": -5`)
	// Whoever is at the command line is trusted.
	s.write(goodManifest+"priority: 100\n", "elsewhere", "x.order.yml")
	id, errs, status = s.run("order", "submit", "--manifest", manifest)
	require.Zero(t, status, errs)
	require.Equal(t, 100, s.ended(strings.TrimSpace(id), 1).Priority)

	for _, args := range [][]string{
		{"order", "show", "nobody"},
		{"order", "submit", "--group", "Demo", "--user", "ada", "--to", "Dataset:7", "--priority", "101", path},
		{"order", "submit", "--group", "Demo", "--user", "ada", "--to", "Dataset:7", "--priority", "high", path},
		{"order", "list", "--limit", "0"},
		{"doctor", "--limit", "-1"},
		{"order", "submit", "--manifest", manifest, "--priority", "5"},
		{"order", "submit", "--group", "Demo", "--user", "ada", "--to", "Project:7", path},
		{"order", "submit", "--group", "Demo", "--user", "ada", "--to", "Dataset:7", "/etc/passwd"},
		{"order", "submit", "--group", "Demo", path},
		{"order", "submit", "--manifest", manifest, "--group", "Demo"},
		{"order", "frobnicate"},
		{"frobnicate"},
		{"run", "--frobnicate"},
		{"validate", s.write("group: x\n", "bad.order.yml")},
	} {
		_, errs, status = s.run(args...)
		require.Equal(t, 2, status, "%v: %s", args, errs)
		require.NotEmpty(t, errs, args)
		require.NotContains(t, errs, "strconv", args)
	}
	_, errs, status = s.run("validate", manifest)
	require.Zero(t, status, errs)
	a.stop()
}

// validate knows of a manifest what the service would do with it where it lies.
func TestValidate_asksTheRule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	inside := s.write(goodManifest, "Demo", "ada", "orders", "order.yml")
	urgent := s.write(goodManifest+"priority: 5\n", "Demo", "ada", "orders", "5.order.yml")
	strange := s.write(goodManifest, "Demo", "bob", "orders", "order.yml")
	outside := s.write(goodManifest+"priority: 5\n", "order.yml")
	out, errs, status := s.run("validate", inside, urgent, strange, outside)
	require.Equal(t, 2, status)
	require.Equal(t, inside+": valid\n"+outside+": valid; no rule looks for it where it lies\n", out)
	require.Contains(t, errs, "5.order.yml: its priority is 5, but in its folder it may be 0 at most")
	require.Contains(t, errs, `it acts for the user "ada", but its folder is the user "bob"'s`)
	cmd := exec.Command(binary, "validate", urgent)
	alone, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, urgent+": valid\n", string(alone), "without settings there is no rule")
}

func TestPriority_isTheRules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure("  - path: " + s.path("data") + `/{group}/{user}/urgent
    order: {group: "{group}", user: "{user}", destination: {type: Dataset, id: 9}, priority: 20}
    settle: 300ms
`)
	a := s.start()
	defer a.stop()
	s.write("pixels", "Demo", "ada", "urgent", "drop.tif")
	require.Equal(t, 20, s.ended(s.orderOf("drop.tif"), 1).Priority)
	s.write("pixels", "Demo", "ada", "urgent", "named", "file.tif")
	s.write(goodManifest+"priority: 21\n", "Demo", "ada", "urgent", "named", "order.yml")
	s.eventually(func() bool {
		data, err := os.ReadFile(s.path("data", "Demo", "ada", "urgent", "named", "order.yml.rejected.txt"))
		return err == nil && strings.Contains(string(data), "20 at most")
	}, "the rejection")
	s.write(goodManifest, "Demo", "ada", "urgent", "named", "order.yml")
	st := s.ended(s.orderOf("file.tif"), 1)
	require.Equal(t, "151", st.DestinationID)
	require.Equal(t, 20, st.Priority)
}

func TestPauseAndCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	defer a.stop()
	_, errs, status := s.run("order", "pause", "--user", "ada")
	require.Zero(t, status, errs)
	out, _, _ := s.run("order", "pause", "--list")
	require.Contains(t, out, "ada")
	out, _, _ = s.run("order", "pause", "--list", "--json")
	require.Regexp(t, `(?s)^\[\s*\{\s*"group": "",\s*"user": "ada",\s*"since": "[^"]+"\s*\}\s*\]\s*$`, out)
	cancelled, also, kept := s.insert(s.write("pixels", "a.tif")), s.insert(s.write("pixels", "c.tif")), s.insert(s.write("pixels", "b.tif"))
	_, errs, status = s.run("order", "cancel", cancelled)
	require.Zero(t, status, errs)
	require.Equal(t, "The order was cancelled.", s.ended(cancelled, 1).Description)
	out, _, status = s.run("order", "cancel", "--json", cancelled)
	require.Equal(t, 2, status)
	require.Regexp(t, `(?s)^\[\s*\{\s*"uuid": "`+cancelled+`",\s*"done": false,\s*"reason": "[^"]+has ended[^"]*"\s*\}\s*\]\s*$`, out)
	out, errs, status = s.run("order", "cancel", cancelled, "no-such-order", also)
	require.Equal(t, 2, status)
	require.Contains(t, errs, "has ended")
	require.Contains(t, errs, "no-such-order")
	require.Equal(t, also+": cancelled\n", out)
	require.Equal(t, "The order was cancelled.", s.ended(also, 1).Description)
	require.Equal(t, []string{"Import Pending"}, s.stages(kept))
	out, errs, status = s.run("order", "resume", "--user", "ada", "--json")
	require.Zero(t, status, errs)
	require.JSONEq(t, `[]`, out)
	require.Equal(t, order.Completed, s.ended(kept, 1).Stage)
	_, errs, status = s.run("order", "resume", "--user", "ada")
	require.Equal(t, 2, status, errs)
	require.Len(t, s.links(), 1)
}
