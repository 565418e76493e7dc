package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// systemd is what a service manager has at its end of the socket.
type systemd struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newSystemd(s *site) systemd {
	s.t.Helper()
	path := s.path("notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, conn.Close()) })
	return systemd{s.t, conn, path}
}

// stopping is the message of a service that was told to stop.
const stopping = "STOPPING=1\nSTATUS=stopping: orders that run may end"

// next is the next message; empty where none comes in time.
func (m systemd) next(wait time.Duration) string {
	m.t.Helper()
	require.NoError(m.t, m.conn.SetReadDeadline(time.Now().Add(wait)))
	buf := make([]byte, 4096)
	n, err := m.conn.Read(buf)
	if !os.IsTimeout(err) {
		require.NoError(m.t, err)
	}
	return string(buf[:n])
}

// until reads up to a message, and returns what came before it.
func (m systemd) until(want string) (before []string) {
	m.t.Helper()
	for {
		switch text := m.next(patience); text {
		case want:
			return before
		case "":
			require.FailNow(m.t, "a message is missing", "%q after %q", want, before)
		default:
			before = append(before, text)
		}
	}
}

// change puts something else into the settings.
func (s *site) change(from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(s.settings)
	require.NoError(s.t, err)
	require.Contains(s.t, string(text), from)
	require.NoError(s.t, os.WriteFile(s.settings, bytes.Replace(text, []byte(from), []byte(to), 1), 0o600))
}

// open has the site's page listen, at an address that the log tells.
func (s *site) open() {
	s.t.Helper()
	s.change(`listen: ""`, `listen: "127.0.0.1:0"`)
}

// page is the address of the status page.
func (s *site) page() (url string) {
	s.t.Helper()
	told := regexp.MustCompile(`"msg":"started".*"page":"([^"]+)/"`)
	s.eventually(func() bool {
		if found := told.FindStringSubmatch(s.log()); found != nil {
			url = found[1]
		}
		return url != ""
	}, "the service starts")
	return url
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(data)
}

// promtool checks what Prometheus is to read.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "scripts/test installs promtool\n%s", out)
	require.NotContains(t, string(out), "WARNING")
}

// What the service serves is what Prometheus, the dashboard and the alerts take for granted.
func TestMachines_metrics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open()
	a := s.launch()
	url := s.page()
	s.eventually(func() bool {
		status, _ := fetch(t, url+"/readyz")
		return status == http.StatusOK
	}, "it is ready")
	s.write("pixels", "Demo", "ada", "inbox", "Retina", "hostile {name}\n\".tif")
	require.Equal(t, order.Completed, s.ended(s.orderOf("hostile"), 1).Stage)
	require.Equal(t, order.Failed, s.ended(s.insert(s.path("data", "missing.tif")), 1).Stage)
	text := ""
	says := func(lines ...string) {
		t.Helper()
		s.eventually(func() bool {
			_, text = fetch(t, url+"/metrics")
			got := strings.Split(text, "\n")
			return !slices.ContainsFunc(lines, func(line string) bool { return !slices.Contains(got, "biomero_importer_"+line) })
		}, strings.Join(lines, ", "))
	}
	says(`order_run_seconds_count{outcome="completed"} 1`, `order_run_seconds_count{outcome="failed"} 1`, "order_wait_seconds_count 2",
		`order_step_seconds_count{step="import"} 1`, `files_total{state="imported"} 1`, `files_total{state="failed"} 1`,
		`errors_total{class="invalid"} 1`, `drops_total{outcome="taken"} 1`, "settle_seconds_count 1", "orders_running 0",
		`queue_orders{state="running"} 0`, `part_ready{part="watcher"} 1`, `part_ready{part="engine"} 1`, `part_ready{part="backend"} 1`)
	for _, secret := range []string{"hostile", "Demo", "Retina", s.dir} {
		require.False(t, strings.Contains(text, secret), secret) //nolint:testifylint // all of it would be shown
	}
	promtool(t, text, "check", "metrics")
	names := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^([a-z_]+)[ {]`).FindAllStringSubmatch(text, -1) {
		names[found[1]] = true
	}
	for _, file := range []string{"grafana-dashboard.json", "alerts.yml", "alerts_test.yml"} {
		data, err := os.ReadFile(filepath.Join("../configs", file))
		require.NoError(t, err)
		used := regexp.MustCompile(`\b(biomero_importer|process)_[a-z_]+\b`).FindAllString(string(data), -1)
		require.NotEmpty(t, used)
		for _, name := range used {
			require.True(t, names[name], "%s uses %s, which nobody exports", file, name)
		}
	}
	a.stop()
}

func TestMachines_rulesOfAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "../configs/alerts.yml")
	promtool(t, "", "test", "rules", "../configs/alerts_test.yml")
	rules, err := os.ReadFile("../configs/alerts.yml")
	require.NoError(t, err)
	tests, err := os.ReadFile("../configs/alerts_test.yml")
	require.NoError(t, err)
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	require.NotEmpty(t, alerts)
	for _, alert := range alerts {
		require.Contains(t, string(tests), `alertname="`+alert[1]+`"`, "no test has it fire")
	}
	require.Equal(t, len(alerts), strings.Count(string(rules), "runbook:"))
}

func TestMachines_dashboard(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../configs/grafana-dashboard.json")
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(data, &d))
	ids := map[int]bool{}
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	require.NotEmpty(t, d.Panels)
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], p.Title)
		ids[p.ID] = true
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)
			quoted, err := json.Marshal(expr)
			require.NoError(t, err)
			rules.WriteString("  - {alert: panel, expr: " + string(quoted) + "}\n")
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(file, []byte(rules.String()), 0o600))
	promtool(t, "", "check", "rules", "--lint=none", file)
}

// The database of a service that runs goes away and comes back.
func TestMachines_healthFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.change(r.url, r.server.url("importer"))
	r.open()
	a := r.launch()
	url := r.page()
	is := func(path string, status int, body string) {
		t.Helper()
		r.eventually(func() bool {
			got, answer := fetch(t, url+path)
			return got == status && strings.Contains(answer, body)
		}, path+" says "+body)
	}
	is("/readyz", http.StatusOK, `"ready":true`)
	is("/healthz", http.StatusOK, "ok\n")
	r.server.stop()
	is("/healthz", http.StatusServiceUnavailable, "The database does not answer.\n")
	is("/readyz", http.StatusServiceUnavailable, `{"part":"database","state":"waiting"`)
	is("/readyz", http.StatusServiceUnavailable, `{"part":"engine","state":"waiting"`)
	is("/metrics", http.StatusOK, "biomero_importer_part_ready{part=\"database\"} 0\n")
	r.server.start()
	is("/readyz", http.StatusOK, `"ready":true`)
	is("/healthz", http.StatusOK, "ok\n")
	a.stop()
}

func TestMachines_systemd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := newSystemd(s)
	a := s.launch("NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=3000000")
	require.NotContains(t, m.until("READY=1"), "STATUS=at work")
	m.until("STATUS=at work")
	m.until("WATCHDOG=1")
	m.until("WATCHDOG=1")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGTERM))
	m.until(stopping)
	require.NoError(t, <-a.done, s.log())
}

// A database that is away is waited for, and no reason to be restarted.
func TestMachines_systemdWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.change(r.url, r.server.url("importer"))
	r.server.stop()
	m := newSystemd(r.site)
	a := r.launch("NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=3000000")
	r.eventually(func() bool { return strings.Contains(r.log(), "waiting for the database") }, "it waits")
	for range 3 {
		require.NotContains(t, m.until("WATCHDOG=1"), "READY=1")
	}
	r.server.start()
	m.until("READY=1")
	a.stop()
	m.until(stopping)

	r.server.stop()
	for said := stopping; said != ""; said = m.next(100 * time.Millisecond) {
		require.NotEqual(t, "READY=1", said, "it has stopped")
	}
	a = r.launch("NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=3000000")
	m.until("WATCHDOG=1")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.NotContains(t, m.until(stopping), "READY=1")
	require.NoError(t, <-a.done, r.log())
}

// Signs of life end where the dispatcher stands still.
func TestMachines_systemdWhenStuck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := newSystemd(s)
	freeze := s.path("freeze")
	const watchdog = 6 * time.Second
	a := s.launch("NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=6000000", "FREEZEPOINT=turning", "FREEZE="+freeze)
	m.until("STATUS=at work")
	m.until("WATCHDOG=1")
	require.NoError(t, os.WriteFile(freeze, nil, 0o600))
	m.until("STATUS=stuck: no orders are taken up any more")
	require.Empty(t, m.next(watchdog), "systemd restarts it")
	require.Contains(t, s.log(), "the service is stuck")
	a.kill()
}

// The unit is one that systemd takes, where there is one to ask.
func TestMachines_unit(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../configs/biomero-importer.service")
	require.NoError(t, err)
	unit := string(data)
	for _, line := range []string{"Type=notify", "NotifyAccess=main", "WatchdogSec=180", "TimeoutStartSec=infinity", "KillMode=mixed", "NoNewPrivileges=yes", "ProtectSystem=strict"} {
		require.Contains(t, strings.Split(unit, "\n"), line)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return
	}
	for _, change := range [][2]string{{"/usr/local/bin/biomero-importer", binary}, {"User=biomero-importer\n", ""}, {"Group=biomero-importer\n", ""}} {
		require.Contains(t, unit, change[0])
		unit = strings.Replace(unit, change[0], change[1], 1)
	}
	file := filepath.Join(t.TempDir(), "biomero-importer.service")
	require.NoError(t, os.WriteFile(file, []byte(unit), 0o600))
	out, err := exec.Command(verify, "verify", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), filepath.Base(file))
}
