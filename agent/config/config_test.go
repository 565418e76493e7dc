package config_test

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

// environment looks variables up in a list of "NAME=value"; there is a home.
func environment(list ...string) config.Env {
	return func(name string) (string, bool) {
		for _, entry := range list {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value, true
			}
		}
		if name == "HOME" {
			return "/home/ada", true
		}
		return "", false
	}
}

// write makes a settings file.
func write(tb testing.TB, text string) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "settings.yml")
	require.NoError(tb, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func load(tb testing.TB, name string, env ...string) *config.Config {
	tb.Helper()
	c, err := config.Load(name, environment(env...))
	require.NoError(tb, err)
	return c
}

func TestLoad_takesThePythonServicesFile(t *testing.T) {
	t.Parallel()
	const name = "testdata/upstream.good.yml"
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	c := load(t, name)
	require.Equal(t, "postgresql://ada:hunter2@db:5432/biomero", string(c.Database.URL))
	require.False(t, c.Database.Embedded)
	require.True(t, c.Database.Migrate)
	require.Equal(t, "logs/app.logs", c.Log.File)
	require.Equal(t, "logs", c.OrderLogs())
	require.Equal(t, 30*time.Second, c.ShutdownTimeout)
	require.Equal(t, config.Repository, c.Backend)
	require.Equal(t, config.ImportOptions{
		ParallelUpload: 6, ParallelFilesets: 6, SkipAll: true, SkipChecksum: true, SkipMinmax: true, SkipThumbnails: true,
		SkipUpgrade: true, SessionTTL: time.Minute, RegisterZarr: true, Namespace: "biomero.import",
	}, c.Import)
	require.Equal(t, []string{name + ": settings without effect any more: group_list, data_dir_name, sample_image, " +
		"sample_parent_id, sample_parent_type, preprocessing, sample_pre_container, sample_pre_input, sample_pre_out, " +
		"sample_pre_outalt, sample_pre_save"}, c.Warnings)

	windows := load(t, write(t, "\ufeff"+strings.ReplaceAll(string(text), "\n", "\r\n")))
	windows.Warnings = c.Warnings
	require.Equal(t, c, windows)
}

// A file with nothing that counts must not empty the defaults.
func TestLoad_keepsTheDefaultsBesideUnusedKeys(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/before_database.good.yml")
	require.Len(t, c.Warnings, 1)
	c.Warnings = nil
	require.Equal(t, load(t, ""), c)
}

func TestLoad_anEmptyFileIsTheDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\n# nothing\n", "~\n", "repository:\n  # dir: /x\nwatch:\nignore:\nlegacy:\n", "{}\n"} {
		require.Equal(t, load(t, ""), load(t, write(t, text)), text)
	}
}

func TestLoad_takesEveryKey(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/full.good.yml")
	require.Equal(t, config.OMERO, c.Backend)
	require.Equal(t, []config.Role{config.Work}, c.Roles)
	require.Equal(t, slog.LevelWarn, c.Log.Level)
	require.Equal(t, "/srv/data", c.BaseDir)
	require.Equal(t, "/srv/state/logs", c.OrderLogs())
	require.Equal(t, "/srv/repository", c.Repository.Dir)
	require.Equal(t, 90*time.Second, c.ScanInterval)
	require.Equal(t, 2*time.Hour, c.FullScan)
	require.Equal(t, 5000, c.ScanRate)
	require.Equal(t, 3, c.MaxAttempts)
	require.Equal(t, 2, c.PerDestination)
	require.Equal(t, 10*time.Minute, c.CheckTimeout)
	require.Equal(t, 8*time.Hour, c.ImportTimeout)
	require.Equal(t, 48*time.Hour, c.Retention)
	require.Equal(t, 1500*time.Millisecond, c.ShutdownTimeout)
	require.NotNil(t, c.Ignore)
	require.Empty(t, c.Ignore)
	require.Equal(t, config.Legacy{
		Root: "/srv/data", PathMap: map[string]string{"/old": "/srv/data"}, CoreGroups: []string{"core", "007"},
	}, c.Legacy)
	require.Equal(t, config.OMEROServer{
		Host: "omero.example", Port: 4063, User: "root", Password: "hunter2", Dir: "/opt/omero",
		CLI: "/opt/omero/bin/omero", WebURL: "https://omero.example/web/", CAFile: "/etc/omero.pem", Managed: "/srv/managed",
	}, c.OMERO)
	require.Equal(t, 3, c.Converters)
	require.Equal(t, config.Podman{
		Socket: "/run/user/7/podman/podman.sock", TempDir: "/opt/omero/temp", Allowed: []string{"ghcr.io/**", "localhost/*"}, Pull: "never",
		AuthFile: "/etc/auth.json", Network: true, Memory: 8 << 30, CPUs: 1.5, Pids: 100, Timeout: 2 * time.Hour, Strict: true,
		UsernsMode: "keep-id", BindRetryAttempts: 5, BindRetryDelay: 500 * time.Millisecond,
	}, c.Podman)
	require.Empty(t, c.Web.Listen)
	require.Equal(t, "https://importer.example/status/", c.Web.URL)
	require.Equal(t, config.Notify{
		Webhooks: []config.Webhook{
			{URL: "https://hooks.example/a", Secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", Stages: []order.Stage{order.Completed, order.Failed}},
			{URL: "http://chat.example/b", Stages: []order.Stage{order.Failed}, Template: `{"text": {{json .Reason}}}`},
		},
		SMTP:      config.MailServer{Host: "mail.example", Port: 465, TLS: "tls", User: "importer", Password: "hunter2", From: "OMERO <omero@example.org>"},
		Addresses: map[string]string{"ada": "ada.l@example.org"}, AddressPattern: "{user}@example.org",
	}, c.Notify)
	require.True(t, c.Import.SkipUpgrade)
	require.False(t, c.Import.SkipMinmax)
	require.Len(t, c.Rules, 2)
	r := c.Rules[0]
	require.Equal(t, "/srv/data/{group}/{user}/inbox/{dataset_id}", r.Path)
	require.Equal(t, -5, r.Order.Priority)
	require.Equal(t, config.Folder, r.Unit)
	require.Zero(t, r.Settle)
	leica := r.ConverterOf("/x/a.lif")
	require.Equal(t, "lab/leica:v1", leica.Container)
	require.Equal(t, map[string]any{
		"n": json.Number("1.50"), "m": "007", "flag": true, "list": []any{json.Number("1"), map[string]any{"a": "2"}},
	}, leica.Params)
	require.Equal(t, "lab/ome:v1", r.ConverterOf("/x/a.b.OME.TIF").Container)
	require.Equal(t, "lab/any:v1", r.ConverterOf("/x.lif/a").Container)
	require.Nil(t, c.Rules[1].ConverterOf("a.lif"))
	require.Nil(t, c.Rules[1].Order)
	require.Equal(t, 30*time.Second, c.Rules[1].Settle)
	require.True(t, c.Rules[1].AllowAnyUser)
	require.Equal(t, config.Reimport, r.OnChange)
	require.Equal(t, config.Flag, c.Rules[1].OnChange)
}

func TestLoad_ofWhoMaySeeThePage(t *testing.T) {
	t.Parallel()
	c := load(t, write(t, `web:
  listen: 0.0.0.0:8080
  auth:
    viewer_token: hunter2hunter2hunter2
    proxy: {from: [10.0.0.2, 10.1.2.3/16, '::1'], user_header: Remote-User, operators: [ada, 007]}
`), "WEB_OPERATOR_TOKEN=hunter3hunter3hunter3")
	require.Equal(t, config.WebAuth{
		ViewerToken: "hunter2hunter2hunter2", OperatorToken: "hunter3hunter3hunter3",
		Proxy: config.WebProxy{
			From:       []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")},
			UserHeader: "Remote-User", Operators: []string{"ada", "007"},
		},
	}, c.Web.Auth)
	require.True(t, c.Web.Auth.Any())
	require.Empty(t, c.Warnings)
	require.Len(t, load(t, write(t, "web: {listen: 0.0.0.0:8080}")).Warnings, 1)
	for _, listen := range []string{"127.0.0.2:80", "localhost:80", "[::1]:80"} {
		c := load(t, write(t, "web: {listen: '"+listen+"'}"))
		require.Empty(t, c.Warnings)
		require.False(t, c.Web.Auth.Any())
	}
}

func TestLoad_takesLevelsInAnyCase(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]slog.Level{
		"DEBUG": slog.LevelDebug, "Info": slog.LevelInfo, "warning": slog.LevelWarn, "warn": slog.LevelWarn,
		"ERROR": slog.LevelError, "CRITICAL": slog.LevelError,
	} {
		require.Equal(t, want, load(t, write(t, "log_level: "+text)).Log.Level)
	}
}

func TestLoad_takesTextAsItWasWritten(t *testing.T) {
	t.Parallel()
	c := load(t, write(t, `base_dir: |-
  /d
watch: [{path: /d/a, order: {group: 007, user: 1.50, destination: {type: Dataset, name: "yes"}}}]
`))
	require.Equal(t, "/d", c.BaseDir)
	require.Equal(t, "007", c.Rules[0].Order.Group)
	require.Equal(t, "1.50", c.Rules[0].Order.User)
	require.Equal(t, "yes", c.Rules[0].Order.Name)
}

func TestLoad_letsTheEnvironmentWin(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/full.good.yml", "INGEST_TRACKING_DB_URL=postgresql+asyncpg://x@y/z", "ADI_RUN_MIGRATIONS=False",
		"OMERO_HOST=other", "OMERO_PORT=4064", "OMERO_USER=ada", "OMERO_PASSWORD=secret", "OMERODIR=/omero", "USE_REGISTER_ZARR=0",
		"PROCESSED_DATA_FOLDER=.converted", "PODMAN_USERNS_MODE=host", "PODMAN_BIND_RETRY_ATTEMPTS=7", "PODMAN_BIND_RETRY_DELAY_SECONDS=9", "NOTIFY_SMTP_PASSWORD=given")
	require.Equal(t, "given", string(c.Notify.SMTP.Password))
	require.Equal(t, "postgresql://x@y/z", string(c.Database.URL))
	require.False(t, c.Database.Migrate)
	require.Equal(t, config.OMEROServer{
		Host: "other", Port: 4064, User: "ada", Password: "secret", Dir: "/omero",
		CLI: "/opt/omero/bin/omero", WebURL: "https://omero.example/web/", CAFile: "/etc/omero.pem", Managed: "/srv/managed",
	}, c.OMERO)
	require.False(t, c.Import.RegisterZarr)
	require.Equal(t, ".converted", c.ProcessedFolder)
	require.Equal(t, "host", c.Podman.UsernsMode)
	require.Equal(t, 7, c.Podman.BindRetryAttempts)
	require.Equal(t, 9*time.Second, c.Podman.BindRetryDelay)

	require.Equal(t, config.OMERO, load(t, "", "OMERO_HOST=omero").Backend)
	require.Equal(t, "/omero/OMERO_inplace", load(t, "", "OMERODIR=/omero").Podman.TempDir)
	require.Equal(t, config.Repository, load(t, write(t, "backend: repository"), "OMERO_HOST=omero").Backend)
	// What compose files leave empty does not count.
	require.Equal(t, load(t, ""), load(t, "", "OMERO_HOST=", "OMERO_PORT=", "INGEST_TRACKING_DB_URL="))
}

// uncommented is configs/settings.yml with the keys that it only shows.
func uncommented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(documentedFile)
	require.NoError(t, err)
	shown := regexp.MustCompile(`(?m)^( *)# ?( *(?:- |"|\]|[a-z_]+:).*)$`).ReplaceAllString(string(text), "$1$2")
	return strings.Replace(shown, "watch: []\n", "", 1)
}

const documentedFile = "../../configs/settings.yml"

func TestDocumentedSettings_areTheDefaults(t *testing.T) {
	t.Parallel()
	documented := load(t, documentedFile)
	require.Equal(t, load(t, ""), documented)
	want := config.Default()
	if os.Geteuid() != 0 { // the defaults are root's
		want.StateDir = "/home/ada/.local/state/biomero-importer"
		want.Repository.Dir = want.StateDir + "/repository"
	}
	require.Equal(t, &want, documented)
	require.Equal(t, "/var/lib/biomero-importer/repository", config.Default().Repository.Dir)
}

func TestDocumentedSettings_nameEveryKey(t *testing.T) {
	t.Parallel()
	var all map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(uncommented(t)), &all))
	var shown []string
	var collect func(prefix string, value any)
	collect = func(prefix string, value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				collect(prefix, item)
			}
		case map[string]any:
			for key, inner := range value {
				shown = append(shown, strings.Replace(prefix+key, ".lif", "", 1))
				collect(prefix+key+".", inner)
			}
		}
	}
	collect("", all)
	for _, key := range config.Keys() {
		require.Contains(t, shown, key)
	}
}

func TestDocumentedSettings_showValidExamples(t *testing.T) {
	t.Parallel()
	c := load(t, write(t, uncommented(t)))
	require.Equal(t, watcher.DefaultIgnore, c.Ignore)
	require.Equal(t, "/var/lib/biomero-importer", c.StateDir)
	require.Len(t, c.Rules, 2)
	o, err := c.Rules[0].Order.Expand(map[string]string{"group": "Demo", "user": "ada", "dataset": "Retina"})
	require.NoError(t, err)
	require.Equal(t, order.Order{
		Group: "Demo", User: "ada", Description: "Dropped by ada",
		Destination: order.Destination{Type: order.Dataset, Name: "Retina", Project: "Eye"},
	}, o)
}

// The environment variables of the settings file's comments are those that
// are read.
func TestDocumentedSettings_nameEveryVariable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(documentedFile)
	require.NoError(t, err)
	var named []string
	for _, m := range regexp.MustCompile(`\[([A-Z_]{4,})\]`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, m[1])
	}
	var asked []string
	_, err = config.Load("", func(name string) (string, bool) {
		asked = append(asked, name)
		return map[string]string{"HOME": "/home/ada"}[name], true
	})
	require.NoError(t, err)
	require.Subset(t, asked, named)
	require.Subset(t, append(named, "HOME", "XDG_STATE_HOME"), asked)
}

func TestExpand(t *testing.T) {
	t.Parallel()
	c := load(t, write(t, `
base_dir: /d
watch:
  - path: /d/{g}/{u}/{n}/{p}
    order: {group: "{g}", user: "u-{u}", description: "{n} {n}", priority: 100, destination: {type: Dataset, name: "{n}", project: "{p}"}}
  - path: /d/{g}/{id}
    order: {group: "{g}", user: ada, destination: {type: Screen, id: "1{id}"}}
`))
	named, numbered := c.Rules[0].Order, c.Rules[1].Order
	// What was captured is not filled in again.
	o, err := named.Expand(map[string]string{"g": "{u}", "u": "ada", "n": "Eye", "p": "P"})
	require.NoError(t, err)
	require.Equal(t, order.Order{
		Group: "{u}", User: "u-ada", Description: "Eye Eye", Priority: 100,
		Destination: order.Destination{Type: order.Dataset, Name: "Eye", Project: "P"},
	}, o)
	o, err = numbered.Expand(map[string]string{"g": "Demo", "id": "7"})
	require.NoError(t, err)
	require.Equal(t, order.Destination{Type: order.Screen, ID: 17}, o.Destination)
	require.Zero(t, o.Priority)

	for _, tc := range []struct {
		template *config.OrderTemplate
		captured map[string]string
		want     string
	}{
		{named, map[string]string{"u": "ada", "n": "Eye", "p": "P"}, "The group is empty."},
		{named, map[string]string{"g": "a", "u": "b\n", "n": "Eye", "p": "P"}, "The user"},
		{named, map[string]string{"g": "a", "u": "b", "n": " ", "p": "P"}, "The name of the Dataset is empty."},
		{named, map[string]string{"g": "a", "u": "b", "n": "Eye"}, "The name of the project is empty."},
		{named, map[string]string{"g": "a", "u": "b", "n": "Eye\x1b", "p": "P"}, `The name of the Dataset "Eye\x1b" holds a control character.`},
		{named, map[string]string{"g": "a", "u": "b", "n": "Eye", "p": strings.Repeat("ж", 128)}, "The name of the project is longer than 255 bytes."},
		{named, map[string]string{"g": strings.Repeat("x", 256), "u": "b", "n": "Eye", "p": "P"}, "The group is longer than 255 bytes."},
		{numbered, map[string]string{"g": "a", "id": "x"}, `gives "1x" as the id of the Screen`},
		{numbered, map[string]string{"g": "a", "id": "99999999999999999999"}, "no positive whole number"},
	} {
		_, err := tc.template.Expand(tc.captured)
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}
