package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/tracking"
)

// long has the faults last as long as they do in life; scripts/faults sets it.
var long = os.Getenv("FAULTS_LONG") != ""

// rig is a site with a server of its own, and agents that share both.
type rig struct {
	*site
	server  *server
	workers []*worker
	ids     []string          // of the orders, as they were placed
	users   map[string]string // the user of each order
	files   map[string]string // the order of each file
}

func newRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	dir := openDir(t)
	return openRig(t, dir, newServer(t, filepath.Join(dir, "db"), settings...))
}

// openRig starts the server, and makes a site on it.
func openRig(t *testing.T, dir string, s *server) *rig {
	t.Helper()
	s.start()
	s.exec("CREATE ROLE importer LOGIN; GRANT CREATE ON DATABASE postgres TO importer; GRANT ALL ON SCHEMA public TO importer")
	require.NoError(t, tracking.Migrate(t.Context(), s.url("importer"), slog.New(slog.DiscardHandler)))
	return &rig{site: openSite(t, dir, s.url("postgres")), server: s, users: map[string]string{}, files: map[string]string{}}
}

// place inserts orders of a user as a client does, each of that many files of its own.
func (r *rig) place(user string, orders, files int) {
	r.t.Helper()
	var ids, lists []string
	for range orders {
		id := uuid.NewString()
		var paths []string
		for i := range files {
			path := r.write("pixels", user, id, fmt.Sprintf("%d.tif", i))
			r.files[path] = id
			paths = append(paths, path)
		}
		list, err := json.Marshal(paths)
		require.NoError(r.t, err)
		ids, lists = append(ids, id), append(lists, string(list))
		r.users[id] = user
	}
	ctx := r.t.Context()
	conn, err := pgx.Connect(ctx, r.server.url("postgres")) // a pooled one may be of a server that is gone
	require.NoError(r.t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', $1, '151', 'Dataset', 'Import Pending', n.* FROM unnest($2::text[], $3::text[]) AS n`, user, ids, lists)
	require.NoError(r.t, err)
	r.ids = append(r.ids, ids...)
}

// count asks for a number, for as long as that takes; what does not answer has none.
func (r *rig) count(sql string, args ...any) (n int) {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
	defer cancel()
	if r.store.Pool().QueryRow(ctx, sql, args...).Scan(&n) != nil {
		return -1
	}
	return n
}

func (r *rig) ended() int {
	return r.count(`SELECT count(*) FROM importer.orders WHERE state IN ('completed', 'failed')`)
}

func (r *rig) running() int {
	return r.count(`SELECT count(*) FROM importer.orders WHERE state = 'running'`)
}

// finish waits until all orders have ended.
func (r *rig) finish() {
	r.t.Helper()
	r.eventually(func() bool { return r.ended() == len(r.ids) }, "all orders end")
}

// hold keeps what writes to a table waiting, until it is let go of or the server
// forgets it.
func (r *rig) hold(table string) (release func()) {
	r.t.Helper()
	ctx := context.WithoutCancel(r.t.Context())
	conn, err := pgx.Connect(ctx, r.server.url("postgres"))
	require.NoError(r.t, err)
	_, err = conn.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN SHARE MODE", pgx.QueryExecModeSimpleProtocol)
	require.NoError(r.t, err)
	release = func() {
		bound, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = conn.Close(bound) // a server that is gone has let go of it
	}
	r.t.Cleanup(release)
	return release
}

// stuck waits until so many orders run, and cannot go on for what holds filesets.
func (r *rig) stuck(orders int) {
	r.t.Helper()
	r.eventually(func() bool {
		return r.running() >= orders && r.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass`, filesets) > 0
	}, fmt.Sprintf("%d orders run", orders))
}

// filesets is where imports are held up: the order runs, and nothing of it is recorded.
const filesets = "importer.repository_filesets"

// worker is one of several agents.
type worker struct {
	r    *rig
	name string
	net  string
	url  string
	cmd  *exec.Cmd
	done chan error
}

// worker makes an agent that only carries orders out; it is not started yet.
func (r *rig) worker(name string) *worker {
	w := &worker{r: r, name: name, url: r.server.url("importer")}
	r.workers = append(r.workers, w)
	return w
}

func (w *worker) path(name string) string { return w.r.path(w.name, name) }

// launch starts it. Its log is continued.
func (w *worker) launch() *worker {
	w.r.t.Helper()
	t := w.r.t
	require.NoError(t, os.MkdirAll(w.r.path(w.name), 0o755))
	text := fmt.Sprintf("ingest_tracking_db: %q\nbase_dir: %[2]s/data\nstate_dir: %[2]s/state\nlog_file_path: %[2]s/%[3]s/importer.log\n"+
		"log_level: debug\nshutdown_timeout: 10\nroles: [work]\n", w.url, w.r.dir, w.name)
	require.NoError(t, os.WriteFile(w.path("settings.yml"), []byte(text), 0o600))
	w.cmd = exec.Command(binary, "run", "--config", w.path("settings.yml"))
	w.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	w.cmd.Stderr = t.Output()
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, within(w.net, w.cmd.Start))
	cmd, done := w.cmd, make(chan error, 1)
	w.done = done
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return w
}

// start returns once it has started.
func (w *worker) start() *worker {
	w.r.t.Helper()
	const started = `"msg":"started"`
	before := strings.Count(w.log(), started)
	w.launch()
	w.r.eventually(func() bool { return strings.Count(w.log(), started) > before }, w.name+" starts")
	return w
}

func (w *worker) log() string {
	data, _ := os.ReadFile(w.path("importer.log")) // or it has none yet
	return string(data)
}

// says waits until it has logged something.
func (w *worker) says(text string) {
	w.r.t.Helper()
	w.r.eventually(func() bool { return strings.Contains(w.log(), text) }, w.name+" says "+text)
}

func (w *worker) stop() {
	w.r.t.Helper()
	require.NoError(w.r.t, w.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(w.r.t, <-w.done, w.log())
}

func (w *worker) kill() {
	w.r.t.Helper()
	require.NoError(w.r.t, w.cmd.Process.Kill())
	<-w.done
}

// within starts a process in a network namespace, which it inherits from the
// thread that makes it.
func within(net string, start func() error) error {
	if net == "" {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(home)
	there, err := unix.Open("/run/netns/"+net, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = start()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		panic(back) // the thread must not serve others there
	}
	return err
}

// inTurn checks that each agent took the orders of a user up in the order in which
// they came. Those that were taken up again, or for which the server forgot it, waited.
func (r *rig) inTurn() {
	r.t.Helper()
	place := map[string]int{}
	for i, id := range r.ids {
		place[id] = i
	}
	times, first := map[string]int{}, make([][]string, len(r.workers))
	for n, w := range r.workers {
		for line := range strings.Lines(w.log()) {
			var said struct {
				Msg   string `json:"msg"`
				Order string `json:"order"`
				Run   int    `json:"run"`
			}
			if json.Unmarshal([]byte(line), &said) != nil || said.Msg != "taken up" { // a full disk may have cut it
				continue
			}
			if times[said.Order]++; said.Run == 1 {
				first[n] = append(first[n], said.Order)
			}
		}
	}
	require.NotEmpty(r.t, times, "nothing was taken up")
	for n, taken := range first {
		last := map[string]int{}
		for _, id := range taken {
			if times[id] > 1 {
				continue
			}
			require.GreaterOrEqual(r.t, place[id], last[r.users[id]], "%s took order %s up after a later one of its user", r.workers[n].name, id)
			last[r.users[id]] = place[id]
		}
	}
}

// audit checks that every order was carried out once, in its turn and with its own
// files, and that the audit finds nothing, be it only worth a look.
func audit(t *testing.T, r *rig) {
	t.Helper()
	texts := func(sql string) []string {
		rows, err := r.store.Pool().Query(t.Context(), sql)
		require.NoError(t, err)
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return list
	}
	none := func(what, sql string) {
		require.Empty(t, texts(sql), what)
	}
	require.ElementsMatch(t, r.ids, texts(`SELECT DISTINCT uuid FROM public.imports`))
	none("not complete after one attempt", `SELECT uuid || ' ' || state || ' ' || attempt || ' ' || reason FROM importer.orders WHERE state <> 'completed' OR attempt <> 1`)
	none("still in the inbox", `SELECT uuid FROM importer.inbox`)
	none("not dated in the order of its rows", `SELECT uuid || ': ' || string_agg(stage || ' ' || "timestamp", ', ' ORDER BY id) FROM public.imports GROUP BY uuid
		HAVING array_agg(id ORDER BY "timestamp") <> array_agg(id ORDER BY id) OR count(DISTINCT "timestamp") <> count(*)`)
	r.inTurn()
	rows, err := r.store.Pool().Query(t.Context(), `SELECT source, order_uuid FROM importer.repository_filesets`)
	require.NoError(t, err)
	imported := map[string]string{}
	var source, order string
	_, err = pgx.ForEachRow(rows, []any{&source, &order}, func() error {
		require.NotContains(t, imported, source, "imported twice")
		imported[source] = order
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, r.files, imported)
	e, _ := r.examine("--audit")
	for _, check := range e.Checks {
		require.True(t, check.OK || check.Name == "database clock", "%v", check) // which some faults set
	}
	require.True(t, e.Audit.Complete, e.Audit.Error)
	require.Empty(t, e.Audit.Found)
}
