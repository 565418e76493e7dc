package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
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

func TestLoad_takesThePythonServicesFile(t *testing.T) {
	t.Parallel()
	c, err := config.Load("testdata/upstream.good.yml", environment())
	require.NoError(t, err)
	require.Equal(t, "postgresql://ada:hunter2@db:5432/biomero", string(c.Database.URL))
	require.False(t, c.Database.Embedded)
	require.Equal(t, "logs/app.logs", c.Log.File)
	require.Equal(t, "logs", c.OrderLogs())
	require.Equal(t, 30*time.Second, c.ShutdownTimeout)
	require.Equal(t, config.Repository, c.Backend)
	require.Len(t, c.Warnings, 1)
	for _, key := range []string{"group_list", "data_dir_name", "sample_image", "preprocessing", "sample_pre_container", "sample_pre_params"} {
		require.Contains(t, c.Warnings[0], key)
	}
}

func TestLoad_takesEveryKey(t *testing.T) {
	t.Parallel()
	c, err := config.Load("testdata/full.good.yml", environment())
	require.NoError(t, err)
	require.Equal(t, config.OMERO, c.Backend)
	require.Equal(t, []config.Role{config.Work}, c.Roles)
	require.Equal(t, 90*time.Second, c.Rescan)
	require.NotNil(t, c.Ignore)
	require.Empty(t, c.Ignore)
	require.Empty(t, c.Legacy.Folder)
	require.Len(t, c.Rules, 2)
	r := c.Rules[0]
	require.Equal(t, "/srv/data/{group}/{user}/inbox/{dataset_id}", r.Path)
	require.Equal(t, config.Folder, r.Unit)
	require.Zero(t, r.Settle)
	require.Equal(t, "lab/leica:v1", r.ConverterOf("/x/a.lif").Container)
	require.Equal(t, "lab/any:v1", r.ConverterOf("/x/a.czi").Container)
	o, err := r.Order.Expand(map[string]string{"group": "Demo", "user": "ada", "dataset_id": "7"})
	require.NoError(t, err)
	require.Equal(t, order.Order{Group: "Demo", User: "ada", Destination: order.Destination{Type: order.Screen, ID: 7}}, o)
	_, err = r.Order.Expand(map[string]string{"group": "Demo", "user": "ada", "dataset_id": "Retina"})
	require.Equal(t, order.Invalid, order.ClassOf(err))
	require.Nil(t, c.Rules[1].Order)
	require.True(t, c.Rules[1].AllowAnyUser)
}

func TestLoad_letsTheEnvironmentWin(t *testing.T) {
	t.Parallel()
	c, err := config.Load("testdata/upstream.good.yml", environment("INGEST_TRACKING_DB_URL=postgres://x@y/z",
		"ADI_RUN_MIGRATIONS=False", "OMERO_HOST=omero", "OMERO_PORT=4063", "OMERO_PASSWORD=hunter2"))
	require.NoError(t, err)
	require.Equal(t, "postgres://x@y/z", string(c.Database.URL))
	require.False(t, c.Database.Migrate)
	require.Equal(t, config.OMERO, c.Backend)
	require.Equal(t, 4063, c.OMERO.Port)
}

// The documented file is the defaults, and names every key.
func TestDocumentedSettings_areTheDefaults(t *testing.T) {
	t.Parallel()
	const name = "../../configs/settings.yml"
	env := environment()
	documented, err := config.Load(name, env)
	require.NoError(t, err)
	none, err := config.Load("", env)
	require.NoError(t, err)
	require.Equal(t, none, documented)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for _, key := range config.Keys() {
		require.Regexp(t, `(?m)^[ #-]*`+key+`:|[{ ]`+key+`: `, string(text), key)
	}
}

func TestLoad_refuses(t *testing.T) {
	t.Parallel()
	rule := func(text string) string { return "base_dir: /d\nwatch:\n  - " + text }
	for _, tc := range []struct{ text, want string }{
		{"max_worker: 3", `:1: there is no setting "max_worker" here; did you mean "max_workers"?`},
		{"\n\nweb: {listn: x}", `:3: there is no setting "listn" here; did you mean "listen"?`},
		{"qqqq: 1", "known are"},
		{"max_workers: many", ":1: "},
		{"max_workers: 0", "no whole number"},
		{"max_workers: 4.7", "no whole number"},
		{"max_workers: 501", "max_workers is 501"},
		{"rescan: 1ns", "rescan is 1ns"},
		{"manifest_timeout: 0", "manifest_timeout is 0s"},
		{"roles: [web, web]", "twice"},
		{"legacy: {root: /etc}", "legacy.root"},
		{"ingest_tracking_db: postgresql://u:s3cr@hunter2@host/db", "%40"},
		{"max_workers: 4\nmax_workers: 5", ":2: "},
		{"base_dir: data", "base_dir"},
		{"shutdown_timeout: soon", "no duration"},
		{"shutdown_timeout: -1s", "no duration"},
		{"\nlog_level: loud", ":2: log_level"},
		{"roles: [cook]", `"cook"`},
		{"roles: []", "roles is empty"},
		{"backend: ftp", "backend"},
		{"ingest_tracking_db: mysql://ada:hunter2@db/x", "scheme"},
		{"ingest_tracking_db: somewhere", "no PostgreSQL address"},
		{"web: {listen: 8080}", ":1: web.listen"},
		{"legacy: {folder: a/b}", "legacy.folder"},
		{"a: &a [1]\nb: [*a, *a]", "there is no setting"},
		{"- 1", ":1: "},
		{"a: b: c", ":1: "},
		{strings.Repeat("#", 1<<20+1), "larger than"},
		{"max_workers: 3\n---\nmax_workers: 4", "one document"},
		{rule("path: /elsewhere"), "watch rule 1: its path"},
		{rule("path: /d/{}"), "captures {}"},
		{rule("path: /d/{a}/{a}"), "captures {a}"},
		{rule("path: /d/{a"), "unpaired"},
		{rule("{path: /d/a, unit: pile}"), "unit"},
		{rule(`{path: /d/a, include: ["["]}`), "glob"},
		{rule(`{path: /d/a, order: {group: g, user: "{u}", destination: {type: Dataset, id: 1}}}`), "{u}"},
		{rule(`{path: /d/a, order: {user: u, destination: {type: Dataset, id: 1}}}`), "group and user"},
		{rule(`{path: /d/a, order: {group: g, user: u, destination: {type: Project, id: 1}}}`), "Project"},
		{rule(`{path: /d/a, order: {group: g, user: u, destination: {type: Dataset}}}`), "id or name"},
		{rule(`{path: /d/a, order: {group: g, user: u, destination: {type: Screen, name: s, project: p}}}`), "project"},
		{rule(`{path: /d/a, order: {group: g, user: u, destination: {type: Dataset, id: x}}}`), "positive whole number"},
		{rule(`{path: /d/a, preprocessing: {params: {}}}`), "no container"},
		{rule("path: /d/a\n  - path: /d/a/"), "another rule's"},
	} {
		name := filepath.Join(t.TempDir(), "settings.yml")
		require.NoError(t, os.WriteFile(name, []byte(tc.text), 0o600))
		_, err := config.Load(name, environment())
		require.Error(t, err, tc.text)
		require.Equal(t, order.Invalid, order.ClassOf(err), tc.text)
		require.Contains(t, err.Error(), tc.want)
		require.Contains(t, err.Error(), name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := config.Load("testdata/missing.yml", environment())
	require.ErrorContains(t, err, "missing.yml")
	for _, variable := range []string{"ADI_RUN_MIGRATIONS=perhaps", "OMERO_PORT=many", "INGEST_TRACKING_DB_URL=oracle://x"} {
		_, err := config.Load("", environment(variable))
		require.ErrorContains(t, err, strings.Split(variable, "=")[0])
	}
}

func TestLoad_anEmptyFileIsTheDefaults(t *testing.T) {
	t.Parallel()
	want, err := config.Load("", environment())
	require.NoError(t, err)
	for _, text := range []string{"", "\n", "# nothing\n", "---\n"} {
		name := filepath.Join(t.TempDir(), "settings.yml")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		got, err := config.Load(name, environment())
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestConfig_showsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := config.Load("testdata/upstream.good.yml", environment("OMERO_PASSWORD=hunter2"))
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("config", *c), slog.Any("url", c.Database.URL))
	for _, shown := range []string{fmt.Sprint(*c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", *c), fmt.Sprintf("%s %q %x", c.Database.URL, c.Database.URL, c.Database.URL), log.String()} {
		require.NotContains(t, shown, "hunter2")
		require.NotContains(t, shown, "68756e74657232")
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/upstream.good.yml", "testdata/full.good.yml", "../../configs/settings.yml"} {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "settings.yml")
		require.NoError(t, os.WriteFile(name, text, 0o600))
		if _, err := config.Load(name, environment()); err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
		}
	})
}
