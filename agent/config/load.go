package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"biomero-importer/agent/order"
)

// Env looks up an environment variable, as os.LookupEnv does.
type Env = func(string) (string, bool)

const (
	embedded     = "embedded"
	rootStateDir = "/var/lib/biomero-importer"
)

// Default is the settings without a file and without an environment, as root
// has them.
func Default() Config {
	f := defaults(rootStateDir)
	c, err := f.config(newSource(""))
	if err != nil {
		panic(fmt.Errorf("the default settings: %w", err))
	}
	return *c
}

// Load reads the settings file, if path is not empty, and the environment,
// which wins. Errors are Invalid and say which file and line, or which
// variable, is to be mended. They never hold a password.
func Load(path string, env Env) (*Config, error) {
	f := defaults(stateDir(env))
	src := newSource(path)
	var old []string
	if path != "" {
		data, err := read(path)
		if err != nil {
			return nil, order.Errorf(order.Invalid, "the settings cannot be read: %w", err)
		}
		root, err := src.parse(data)
		if err != nil {
			return nil, err
		}
		if root != nil {
			d := decoder{src: src}
			if err := d.decode(root, reflect.ValueOf(&f).Elem(), ""); err != nil {
				return nil, err
			}
			old = d.unused
		}
	}
	if err := f.environment(env, src); err != nil {
		return nil, err
	}
	c, err := f.config(src)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		c.Warnings = []string{path + ": settings without effect any more: " + strings.Join(old, ", ")}
	}
	return c, nil
}

// read stops one byte after what is allowed, so that the rest can tell.
func read(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // named by the site
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// defaults are the settings of an empty file.
func defaults(stateDir string) file {
	return file{
		IngestTrackingDB: embedded, LogLevel: "info", BaseDir: "/data", StateDir: stateDir, MaxWorkers: 4, Converters: 2,
		MaxAttempts: 5, CheckTimeout: seconds(time.Hour), ImportTimeout: seconds(24 * time.Hour), ShutdownTimeout: seconds(30 * time.Second),
		Roles:           []string{string(Watch), string(Work), string(Web)},
		Legacy:          legacy{Folder: ".2BUploaded", PathMap: map[string]string{"/divg": "/data"}, CoreGroups: []string{}},
		ManifestTimeout: seconds(24 * time.Hour), FullScan: seconds(time.Hour),
		Web:            webBlock{Listen: "127.0.0.1:8080", Auth: authBlock{Proxy: proxyBlock{From: []string{}, UserHeader: "X-Forwarded-User", Operators: []string{}}}},
		OMERO:          omeroBlock{Port: 4064, CLI: "omero", Managed: "/OMERO/ManagedRepository"},
		Podman:         podmanBlock{Allowed: []string{}, Pull: pullMissing, Pids: 4096, Timeout: seconds(24 * time.Hour), BindRetryAttempts: 3, BindRetryDelay: seconds(2 * time.Second)},
		Notify:         notifyBlock{SMTP: smtpBlock{Port: 587, TLS: startTLS}, Addresses: map[string]string{}},
		ParallelUpload: 1, ParallelFilesets: 1, TTLForUserConn: 60000, AnnotationNamespace: "biomero.import",
		migrate: true, processedFolder: ".processed",
	}
}

// stateDir is empty where a user has no home.
func stateDir(env Env) string {
	if os.Geteuid() == 0 {
		return rootStateDir
	}
	return userStateDir(env)
}

func userStateDir(env Env) string {
	if dir, ok := env("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "biomero-importer")
	}
	home, _ := env("HOME")
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "state", "biomero-importer")
}

// variable is an environment variable and the setting that it gives.
type variable struct {
	name, path string
	value      any
}

func (f *file) variables() []variable {
	return []variable{
		{"INGEST_TRACKING_DB_URL", "ingest_tracking_db", &f.IngestTrackingDB},
		{"ADI_RUN_MIGRATIONS", "", &f.migrate},
		{"OMERO_HOST", "omero.host", &f.OMERO.Host},
		{"OMERO_PORT", "omero.port", &f.OMERO.Port},
		{"OMERO_USER", "omero.user", &f.OMERO.User},
		{"OMERO_PASSWORD", "omero.password", &f.OMERO.Password},
		{"OMERODIR", "omero.dir", &f.OMERO.Dir},
		{"OMERO_WEB_URL", "omero.web_url", &f.OMERO.WebURL},
		{"WEB_VIEWER_TOKEN", "web.auth.viewer_token", &f.Web.Auth.ViewerToken},
		{"WEB_OPERATOR_TOKEN", "web.auth.operator_token", &f.Web.Auth.OperatorToken},
		{"NOTIFY_SMTP_PASSWORD", "notify.smtp.password", &f.Notify.SMTP.Password},
		{"USE_REGISTER_ZARR", "use_register_zarr", &f.UseRegisterZarr},
		{"PROCESSED_DATA_FOLDER", processedFolder, &f.processedFolder},
		{"CONTAINER_HOST", "podman.socket", &f.Podman.Socket},
		{"PODMAN_USERNS_MODE", "podman.userns_mode", &f.Podman.UsernsMode},
		{"PODMAN_BIND_RETRY_ATTEMPTS", "podman.bind_retry_attempts", &f.Podman.BindRetryAttempts},
		{"PODMAN_BIND_RETRY_DELAY_SECONDS", "podman.bind_retry_delay", &f.Podman.BindRetryDelay},
	}
}

// processedFolder stands for a key that the file does not have.
const processedFolder = "(processed data folder)"

// environment puts the variables over the file's settings. One that is set to
// nothing counts as not set, as compose files leave them.
func (f *file) environment(env Env, src *source) error {
	for _, v := range f.variables() {
		text, ok := env(v.name)
		if !ok || text == "" {
			continue
		}
		src.variables[v.path] = v.name
		if wanted := set(v.value, text); wanted != "" {
			return src.bad(v.path, "is %s: give %s", quote(text), wanted)
		}
	}
	return nil
}
