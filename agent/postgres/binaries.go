package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"biomero-importer/agent/order"
)

// oldest is the oldest major version that gets fixes and that we test with.
const oldest = 14

// binaries is one installed PostgreSQL.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// search says where installed PostgreSQLs are looked for.
type search struct {
	path  string   // like $PATH
	globs []string // folders with an initdb in them
}

func defaultSearch() search {
	return search{path: os.Getenv("PATH"), globs: []string{
		"/usr/lib/postgresql/*/bin",      // Debian
		"/usr/pgsql-*/bin",               // the project's RPMs
		"/usr/libexec/postgresql*",       // Alpine
		"/usr/local/pgsql*/bin",          // built from source
		"/usr/local/postgresql*/bin",     // hand-unpacked archives
		"/usr/local/opt/postgresql*/bin", // Homebrew
		"/usr/local/lib/postgresql/*/bin",
		"/usr/local/bin",
	}}
}

// pick returns the newest installed version, or the one that can run an
// existing cluster made by major (0 if there is none yet).
func (s search) pick(ctx context.Context, data string, major int) (binaries, error) {
	var best binaries
	for _, dir := range s.dirs(ctx) {
		found, ok := inspect(ctx, dir)
		if !ok || found.major < best.major+1 {
			continue
		}
		if found.major == major || (major == 0 && found.major >= oldest) {
			best = found
		}
	}
	switch {
	case best.major != 0:
		return best, nil
	case major != 0:
		return best, order.Errorf(order.Invalid, "the cluster in %s was made by PostgreSQL %d, which is not installed: "+
			"run `apt-get install postgresql-%d`, or move that folder away to begin with an empty database", data, major, major)
	default:
		return best, order.Errorf(order.Invalid, "the embedded database needs PostgreSQL %d or newer, which is not installed: "+
			"run `apt-get install postgresql`", oldest)
	}
}

func (s search) dirs(ctx context.Context) []string {
	var dirs []string
	for _, dir := range filepath.SplitList(s.path) {
		if !filepath.IsAbs(dir) {
			continue // the working directory must not choose the server
		}
		dirs = append(dirs, dir)
		if config := filepath.Join(dir, "pg_config"); executable(config) {
			// #nosec G204 -- found on the caller's own PATH
			if out, err := exec.CommandContext(ctx, config, "--bindir").Output(); err == nil {
				dirs = append(dirs, strings.TrimSpace(string(out)))
			}
		}
	}
	for _, glob := range s.globs {
		found, _ := filepath.Glob(glob) // fails for a malformed pattern only
		dirs = append(dirs, found...)
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect looks for a server installation whose initdb may be reached through
// a link, as distributions make them in /usr/bin.
func inspect(ctx context.Context, dir string) (binaries, bool) {
	initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb"))
	if err != nil || !executable(initdb) {
		return binaries{}, false
	}
	found := binaries{dir: filepath.Dir(initdb)}
	if !executable(found.path("postgres")) {
		return binaries{}, false
	}
	// #nosec G204 -- one of the folders searched above
	out, err := exec.CommandContext(ctx, found.path("postgres"), "--version").Output()
	match := versionPattern.FindSubmatch(out)
	if err != nil || match == nil {
		return binaries{}, false
	}
	found.major, err = strconv.Atoi(string(match[1]))
	return found, err == nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// majorOf returns the version that made the cluster in data; 0 if there is none.
func majorOf(data string) (int, error) {
	if _, err := os.Lstat(data); os.IsNotExist(err) {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // a path of ours
	if err != nil && !os.IsNotExist(err) {
		return 0, fmt.Errorf("reading the version of the cluster in %s: %w", data, err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || major < 1 {
		return 0, order.Errorf(order.Invalid, "the folder %s holds no intact database cluster: restore it, or move that folder away to begin with an empty database", data)
	}
	return major, nil
}
