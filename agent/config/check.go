package config

import (
	"cmp"
	"log/slog"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/preprocess"
)

// config checks the settings and completes them.
func (f *file) config(src *source) (*Config, error) {
	c := &Config{
		Workers: int(f.MaxWorkers), MaxAttempts: int(f.MaxAttempts), Retention: time.Duration(f.Retention),
		PerDestination: int(f.MaxPerDest), Converters: int(f.Converters), CheckTimeout: time.Duration(f.CheckTimeout), ImportTimeout: time.Duration(f.ImportTimeout),
		ShutdownTimeout: time.Duration(f.ShutdownTimeout),
		ScanInterval:    time.Duration(f.ScanInterval), FullScan: time.Duration(f.FullScan), ScanRate: int(f.ScanRate), ManifestTimeout: time.Duration(f.ManifestTimeout),
		Log: Log{File: f.LogFilePath}, Web: WebPage{Listen: f.Web.Listen}, Ignore: f.Ignore,
		ProcessedFolder: f.processedFolder,
		OMERO: OMEROServer{
			Host: f.OMERO.Host, Port: int(f.OMERO.Port), User: f.OMERO.User, Password: f.OMERO.Password, Dir: f.OMERO.Dir,
			CLI: f.OMERO.CLI, WebURL: f.OMERO.WebURL, CAFile: f.OMERO.CAFile, Managed: filepath.Clean(f.OMERO.Managed),
		},
		Import: ImportOptions{
			ParallelUpload: int(f.ParallelUpload), ParallelFilesets: int(f.ParallelFilesets),
			SkipAll: f.SkipAll, SkipChecksum: f.SkipChecksum, SkipMinmax: f.SkipMinmax,
			SkipThumbnails: f.SkipThumbnails, SkipUpgrade: f.SkipUpgrade,
			SessionTTL:   time.Duration(f.TTLForUserConn) * time.Millisecond,
			RegisterZarr: f.UseRegisterZarr, Namespace: f.AnnotationNamespace,
		},
		Podman: Podman{
			Socket: f.Podman.Socket, Allowed: f.Podman.Allowed, Pull: f.Podman.Pull, AuthFile: f.Podman.AuthFile,
			Network: f.Podman.Network, Strict: f.Podman.Strict, UsernsMode: f.Podman.UsernsMode,
			Memory: int64(f.Podman.Memory), CPUs: float64(f.Podman.CPUs), Pids: int(f.Podman.Pids), Timeout: time.Duration(f.Podman.Timeout),
			BindRetryAttempts: int(f.Podman.BindRetryAttempts),
			BindRetryDelay:    time.Duration(f.Podman.BindRetryDelay),
		},
	}
	for _, step := range []func(*source, *Config) error{
		f.folders, f.bounds, f.logLevel, f.database, f.roles, f.backend, f.legacyFolder, f.converters, f.web, f.ignore, f.rules, f.notify,
	} {
		if err := step(src, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (f *file) folders(src *source, c *Config) error {
	if f.StateDir == "" {
		return src.bad("state_dir", "has no default where HOME is not set: give an absolute path")
	}
	repository := cmp.Or(f.Repository.Dir, filepath.Join(f.StateDir, "repository"))
	for _, dir := range []struct{ key, path string }{
		{"base_dir", f.BaseDir}, {"state_dir", f.StateDir}, {"repository.dir", repository},
	} {
		if err := absolute(src, dir.key, dir.path); err != nil {
			return err
		}
	}
	if strings.ContainsAny(f.BaseDir, "{}") {
		return src.bad("base_dir", "is %s: braces are only for what a rule captures", quote(f.BaseDir))
	}
	for _, dir := range []struct{ key, path string }{
		{"omero.dir", f.OMERO.Dir}, {"omero.ca_file", f.OMERO.CAFile}, {"omero.managed_repository", f.OMERO.Managed},
	} {
		if dir.path == "" && dir.key != "omero.managed_repository" {
			continue
		}
		if err := absolute(src, dir.key, dir.path); err != nil {
			return err
		}
	}
	if !isName(f.processedFolder) {
		return src.bad(processedFolder, "is %s: give a folder's name, not a path", quote(f.processedFolder))
	}
	c.BaseDir, c.StateDir, c.Repository.Dir = filepath.Clean(f.BaseDir), filepath.Clean(f.StateDir), filepath.Clean(repository)
	return nil
}

func absolute(src *source, key, dir string) error {
	if !filepath.IsAbs(dir) || strings.Contains(dir, "\x00") {
		return src.bad(key, "is %s: give an absolute path", quote(dir))
	}
	return nil
}

// isName reports whether a text names one component of a path.
func isName(text string) bool {
	return text != "" && text != "." && text != ".." && !strings.ContainsAny(text, "/\x00")
}

// below reports whether path is dir or lies in it, as they are spelled.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func (f *file) bounds(src *source, c *Config) error {
	const (
		mostWorkers  = 500
		mostAttempts = 20 // the pauses between them add up to half a day
	)
	if c.Workers > mostWorkers {
		return src.bad("max_workers", "is %d: it has to be between 1 and %d", c.Workers, mostWorkers)
	}
	if c.Converters > mostWorkers {
		return src.bad("preprocess_workers", "is %d: it has to be between 1 and %d", c.Converters, mostWorkers)
	}
	if c.MaxAttempts > mostAttempts {
		return src.bad("max_attempts", "is %d: it has to be between 1 and %d", c.MaxAttempts, mostAttempts)
	}
	if c.CheckTimeout < time.Second {
		return src.bad("check_timeout", "is %s: it has to be at least a second", c.CheckTimeout)
	}
	if c.ImportTimeout < time.Second {
		return src.bad("import_timeout", "is %s: it has to be at least a second", c.ImportTimeout)
	}
	if c.Retention != 0 && c.Retention < 24*time.Hour {
		return src.bad("retention", "is %s: it has to be at least 24h, or 0 to keep everything", c.Retention)
	}
	if c.FullScan < time.Second {
		return src.bad("full_scan_interval", "is %s: it has to be at least a second", c.FullScan)
	}
	if err := interval(src, "scan_interval", c.ScanInterval); err != nil {
		return err
	}
	if c.ManifestTimeout < time.Second {
		return src.bad("manifest_timeout", "is %s: it has to be at least a second", c.ManifestTimeout)
	}
	if strings.TrimSpace(c.Import.Namespace) == "" {
		return src.bad("annotation_namespace", "is empty: clients find annotations by it")
	}
	return nil
}

// interval checks the time between two scans, 0 for the filesystem's choice.
func interval(src *source, at string, d time.Duration) error {
	if d != 0 && d < time.Second {
		return src.bad(at, "is %s: it has to be at least a second, or 0", d)
	}
	return nil
}

func (f *file) logLevel(src *source, c *Config) error {
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
		return src.bad("log_level", "is %s: allowed are debug, info, warning and error", quote(f.LogLevel))
	}
	return nil
}

func (f *file) roles(src *source, c *Config) error {
	for i, r := range f.Roles {
		at := "roles[" + strconv.Itoa(i) + "]"
		if !slices.Contains([]Role{Watch, Work, Web}, Role(r)) {
			return src.bad(at, "is %s: allowed are watch, work and web", quote(r))
		}
		if slices.Contains(c.Roles, Role(r)) {
			return src.bad(at, "names %s twice", quote(r))
		}
		c.Roles = append(c.Roles, Role(r))
	}
	if len(c.Roles) == 0 {
		return src.bad("roles", "is empty: name at least one of watch, work and web")
	}
	return nil
}

func (f *file) backend(src *source, c *Config) error {
	c.Backend = Repository
	if c.OMERO.Host != "" {
		c.Backend = OMERO
	}
	if f.Backend != nil {
		c.Backend = Backend(*f.Backend)
	}
	if c.Backend != Repository && c.Backend != OMERO {
		return src.bad("backend", "is %s: allowed are repository and omero", quote(string(c.Backend)))
	}
	if f.OMERO.WebURL != "" {
		u, err := url.Parse(f.OMERO.WebURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return src.bad("omero.web_url", "is no address such as https://omero.example.org/")
		}
	}
	return nil
}

func (f *file) legacyFolder(src *source, c *Config) error {
	l := Legacy{Folder: f.Legacy.Folder, Root: cmp.Or(f.Legacy.Root, c.BaseDir), PathMap: f.Legacy.PathMap, CoreGroups: f.Legacy.CoreGroups}
	if l.Folder != "" && (!isName(l.Folder) || strings.ContainsAny(l.Folder, "{}")) {
		return src.bad("legacy.folder", "is %s: give the folder's name, not a path, or \"\" for none", quote(l.Folder))
	}
	if err := absolute(src, "legacy.root", l.Root); err != nil {
		return err
	}
	if !below(c.BaseDir, l.Root) || strings.ContainsAny(l.Root, "{}") {
		return src.bad("legacy.root", "is %s: give a folder below base_dir %s", quote(l.Root), c.BaseDir)
	}
	l.Root = filepath.Clean(l.Root)
	for _, prefix := range slices.Sorted(maps.Keys(l.PathMap)) {
		if strings.TrimSpace(prefix) == "" {
			return src.bad("legacy.path_map", "has an empty prefix: name what paths begin with")
		}
		if err := absolute(src, "legacy.path_map."+prefix, l.PathMap[prefix]); err != nil {
			return err
		}
	}
	for i, name := range l.CoreGroups {
		if !isName(name) {
			return src.bad("legacy.core_groups["+strconv.Itoa(i)+"]", "is %s: give the name of a group's folder in %s, not a path", quote(name), l.Root)
		}
	}
	c.Legacy = l
	return nil
}

// pullMissing is the policy to pull images that are not there.
const pullMissing = "missing"

// converters checks how containers are run.
func (f *file) converters(src *source, c *Config) error {
	temp := f.Podman.TempDir
	switch {
	case temp != "":
	case f.OMERO.Dir != "":
		temp = filepath.Join(f.OMERO.Dir, "OMERO_inplace")
	default:
		temp = filepath.Join(c.StateDir, "preprocess")
	}
	for _, dir := range []struct{ key, path string }{{"podman.temp_dir", temp}, {"podman.auth_file", f.Podman.AuthFile}} {
		if dir.path == "" {
			continue
		}
		if err := absolute(src, dir.key, dir.path); err != nil {
			return err
		}
	}
	c.Podman.TempDir = filepath.Clean(temp)
	if below(c.BaseDir, c.Podman.TempDir) {
		return src.bad("podman.temp_dir", "is %s, which is below base_dir: who may write there could change what is imported", quote(c.Podman.TempDir))
	}
	if !slices.Contains([]string{pullMissing, "always", "never"}, c.Podman.Pull) {
		return src.bad("podman.pull", "is %s: allowed are missing, always and never", quote(f.Podman.Pull))
	}
	for i, pattern := range f.Podman.Allowed {
		if _, err := preprocess.NewAllowlist([]string{pattern}); err != nil {
			return src.bad("podman.allowed_images["+strconv.Itoa(i)+"]", "is %s: %s", quote(pattern), err)
		}
	}
	return nil
}

// ignore checks patterns the way that the watcher understands them: for a
// name, or for the last components of a folder's path.
func (f *file) ignore(src *source, _ *Config) error {
	for i, pattern := range f.Ignore {
		at := "ignore[" + strconv.Itoa(i) + "]"
		parts := strings.Split(strings.Trim(path.Clean(pattern), "/"), "/")
		valid := pattern != "" && (len(parts) > 1 || !strings.Contains(pattern, "/"))
		for _, part := range parts {
			valid = valid && isGlob(part)
		}
		if !valid {
			return src.bad(at, "is %s: give a name or a pattern such as *.tmp, or several between slashes", quote(pattern))
		}
	}
	return nil
}

// isGlob reports whether a text is a pattern for one name.
func isGlob(text string) bool {
	_, err := path.Match(text, "x")
	return err == nil && isName(text)
}
