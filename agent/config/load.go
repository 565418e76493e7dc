package config

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/agent/order"
)

// Env looks up an environment variable, as os.LookupEnv does.
type Env = func(string) (string, bool)

// defaults are the settings of an empty file.
func defaults(env Env) file {
	return file{
		IngestTrackingDB: embedded, LogLevel: "info", BaseDir: "/data", MaxWorkers: 4,
		ShutdownTimeout: seconds(30 * time.Second), StateDir: stateDir(env),
		Roles:           []string{string(Watch), string(Work), string(Web)},
		Legacy:          legacy{Folder: ".2BUploaded", PathMap: map[string]string{"/divg": "/data"}},
		ManifestTimeout: seconds(24 * time.Hour), Rescan: seconds(5 * time.Minute),
		Web:            webBlock{Listen: "127.0.0.1:8080"},
		ParallelUpload: 1, ParallelFilesets: 1, TTLForUserConn: 60000, AnnotationNamespace: "biomero.import",
	}
}

const embedded = "embedded"

func stateDir(env Env) string {
	if os.Geteuid() == 0 {
		return "/var/lib/biomero-importer"
	}
	if dir, ok := env("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "biomero-importer")
	}
	home, _ := env("HOME")
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "state", "biomero-importer")
}

// Load reads the settings file, if path is not empty, and the environment.
// Errors are Invalid and say which file and line, or which variable, to mend.
func Load(path string, env Env) (*Config, error) {
	f := defaults(env)
	var warnings []string
	var data []byte
	if path != "" {
		var err error
		data, err = os.ReadFile(path) //nolint:gosec // named by the site
		if err != nil {
			return nil, order.Errorf(order.Invalid, "reading the settings: %w", err)
		}
		if warnings, err = parse(path, data, &f); err != nil {
			return nil, err
		}
	}
	c, err := f.config(env)
	if err != nil && path != "" {
		return nil, order.Errorf(order.Invalid, "%s%s: %w", path, lineOf(data, err.Error()), err)
	}
	if err != nil {
		return nil, err
	}
	c.Warnings = warnings
	return c, nil
}

// lineOf is ":" and the line of the key that a fault begins with, where the
// file has it.
func lineOf(data []byte, fault string) string {
	key, _, _ := strings.Cut(fault, " ")
	key = key[strings.LastIndex(key, ".")+1:]
	found := regexp.MustCompile(`(?m)(^|[ {])` + regexp.QuoteMeta(key) + `[ \t]*:`).FindIndex(data)
	if found == nil {
		return ""
	}
	return ":" + strconv.Itoa(1+bytes.Count(data[:found[1]], []byte("\n")))
}

func bad(format string, args ...any) error { return order.Errorf(order.Invalid, format, args...) }

// config checks the settings and completes them from the environment.
func (f *file) config(env Env) (*Config, error) {
	c := &Config{
		BaseDir: filepath.Clean(f.BaseDir), StateDir: f.StateDir, Workers: int(f.MaxWorkers),
		ShutdownTimeout: time.Duration(f.ShutdownTimeout), Rescan: time.Duration(f.Rescan),
		ManifestTimeout: time.Duration(f.ManifestTimeout), Web: WebPage{Listen: f.Web.Listen},
		Repository: RepositoryDir{Dir: f.Repository.Dir},
		Legacy:     Legacy{Folder: f.Legacy.Folder, Root: f.Legacy.Root, PathMap: f.Legacy.PathMap},
		Log:        Log{File: f.LogFilePath},
	}
	if f.Ignore != nil {
		c.Ignore = append([]string{}, *f.Ignore...)
	}
	if c.StateDir == "" {
		return nil, bad("state_dir has no default where HOME is not set: give an absolute path")
	}
	if c.Repository.Dir == "" {
		c.Repository.Dir = filepath.Join(c.StateDir, "repository")
	}
	if c.Legacy.Root == "" {
		c.Legacy.Root = c.BaseDir
	}
	for _, p := range []struct{ key, path string }{{"base_dir", f.BaseDir}, {"state_dir", c.StateDir}, {"repository.dir", c.Repository.Dir}, {"legacy.root", c.Legacy.Root}} {
		if !filepath.IsAbs(p.path) {
			return nil, bad("%s is %q: give an absolute path", p.key, p.path)
		}
	}
	if strings.Contains(c.Legacy.Folder, "/") {
		return nil, bad("legacy.folder is %q: give the folder's name, not a path", c.Legacy.Folder)
	}
	if c.Workers > 500 {
		return nil, bad("max_workers is %d: it has to be between 1 and 500", c.Workers)
	}
	if c.Rescan < time.Second {
		return nil, bad("rescan is %s: it has to be at least a second", c.Rescan)
	}
	if c.ManifestTimeout < time.Second {
		return nil, bad("manifest_timeout is %s: it has to be at least a second", c.ManifestTimeout)
	}
	if !below(c.BaseDir, c.Legacy.Root) {
		return nil, bad("legacy.root %q is not below base_dir %s", c.Legacy.Root, c.BaseDir)
	}
	if c.Web.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Web.Listen); err != nil {
			return nil, bad("web.listen is %q: give an address and a port such as 127.0.0.1:8080, or \"\" for no page", c.Web.Listen)
		}
	}
	steps := []func(Env, *Config) error{f.logLevel, f.database, f.roles, f.omero, f.backend, f.rules}
	for _, step := range steps {
		if err := step(env, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// below reports whether path is dir or lies in it, as they are spelled.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func (f *file) logLevel(_ Env, c *Config) error {
	switch strings.ToLower(f.LogLevel) {
	case "debug":
		c.Log.Level = slog.LevelDebug
	case "info":
		c.Log.Level = slog.LevelInfo
	case "warning", "warn":
		c.Log.Level = slog.LevelWarn
	case "error", "critical":
		c.Log.Level = slog.LevelError
	default:
		return bad("log_level is %q: allowed are debug, info, warning and error", f.LogLevel)
	}
	return nil
}

func (f *file) database(env Env, c *Config) error {
	key, address := "ingest_tracking_db", f.IngestTrackingDB
	if v, ok := env("INGEST_TRACKING_DB_URL"); ok && v != "" {
		key, address = "INGEST_TRACKING_DB_URL", v
	}
	c.Database.Migrate = true
	if v, ok := env("ADI_RUN_MIGRATIONS"); ok && v != "" {
		migrate, err := parseBool(v)
		if err != nil {
			return bad("ADI_RUN_MIGRATIONS is %q: set true or false", v)
		}
		c.Database.Migrate = migrate
	}
	scheme, rest, isURL := strings.Cut(address, "://")
	switch {
	case address == embedded:
		c.Database.Embedded = true
	case isURL:
		// SQLAlchemy names its driver in the scheme.
		scheme, _, _ = strings.Cut(scheme, "+")
		if scheme != "postgresql" && scheme != "postgres" {
			return bad("%s has the scheme %q: give a postgresql:// address, or embedded", key, scheme)
		}
		authority, _, _ := strings.Cut(rest, "/")
		if strings.Count(authority, "@") > 1 {
			return bad("%s has more than one @ before the host: write an @ in the password as %%40", key)
		}
		c.Database.URL = Secret(scheme + "://" + rest)
	case strings.Contains(address, "="):
		c.Database.URL = Secret(address)
	default:
		return bad("%s is no PostgreSQL address: give postgresql://user:password@host/database, or embedded", key)
	}
	return nil
}

func parseBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	return strconv.ParseBool(strings.ToLower(v))
}

func (f *file) roles(_ Env, c *Config) error {
	for _, r := range f.Roles {
		if !slices.Contains([]Role{Watch, Work, Web}, Role(r)) {
			return bad("roles has %q: allowed are watch, work and web", r)
		}
		if slices.Contains(c.Roles, Role(r)) {
			return bad("roles has %q twice", r)
		}
		c.Roles = append(c.Roles, Role(r))
	}
	if len(c.Roles) == 0 {
		return bad("roles is empty: name at least one of watch, work and web")
	}
	return nil
}

func (f *file) omero(env Env, c *Config) error {
	c.OMERO.Port = 4064
	c.OMERO.Host, _ = env("OMERO_HOST")
	c.OMERO.User, _ = env("OMERO_USER")
	c.OMERO.Dir, _ = env("OMERODIR")
	password, _ := env("OMERO_PASSWORD")
	c.OMERO.Password = Secret(password)
	if v, ok := env("OMERO_PORT"); ok && v != "" {
		port, err := strconv.ParseUint(v, 10, 16)
		if err != nil || port == 0 {
			return bad("OMERO_PORT is %q: it has to be a port number", v)
		}
		c.OMERO.Port = int(port)
	}
	return nil
}

func (f *file) backend(_ Env, c *Config) error {
	c.Backend = Repository
	if c.OMERO.Host != "" {
		c.Backend = OMERO
	}
	if f.Backend != nil {
		c.Backend = Backend(*f.Backend)
	}
	if c.Backend != Repository && c.Backend != OMERO {
		return bad("backend is %q: allowed are repository and omero", c.Backend)
	}
	return nil
}
