package cli

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sessionDir is the folder in which the command line keeps its sessions
// (omero-py, util/sessions.py): a file <host>/<user>/<uuid> each, and what was
// last used.
type sessionDir struct{ dir string }

type props map[string]string

// current is what was last used; parts may be empty.
type current struct{ host, user, uuid, port string }

const defaultPort = "4064"

func (a *app) sessionDir() (sessionDir, error) {
	dir := a.getenv("OMERO_SESSIONDIR")
	if dir == "" {
		base := a.getenv("OMERO_USERDIR")
		if base == "" {
			base = filepath.Join(a.Home, "omero") // never the tester's own
		}
		dir = filepath.Join(base, "sessions")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sessionDir{}, a.die(155, "Could not access session dir: %s", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder
		fmt.Fprintln(a.Stdout, "WARN: failed to chmod", dir)
	}
	return sessionDir{dir}, nil
}

// quote is Python's urllib.parse.quote with nothing safe.
func quote(host string) string { return strings.ReplaceAll(url.QueryEscape(host), "+", "%20") }

func (s sessionDir) of(host, user string) string { return filepath.Join(s.dir, quote(host), user) }

func (s sessionDir) add(host, user, uuid string, p props) error {
	p["omero.host"], p["omero.user"], p["omero.sess"] = host, user, uuid
	lines := make([]string, 0, len(p))
	for key, value := range p {
		lines = append(lines, key+"="+value+"\n")
	}
	slices.Sort(lines)
	if err := os.MkdirAll(s.of(host, user), 0o755); err != nil { //nolint:gosec // as omero-py makes it
		return err
	}
	return s.write(filepath.Join(s.of(host, user), uuid), strings.Join(lines, ""))
}

func (s sessionDir) write(path, text string) error {
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // as omero-py makes it
}

func (s sessionDir) get(host, user, uuid string) (props, error) {
	text, err := os.ReadFile(filepath.Join(s.of(host, user), uuid)) //nolint:gosec // its own folder
	if err != nil {
		return nil, err
	}
	p := props{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			p[key] = value
		}
	}
	return p, nil
}

func (s sessionDir) exists(host, user, uuid string) bool {
	_, err := os.Stat(filepath.Join(s.of(host, user), uuid))
	return err == nil
}

// remove removes a session, also from what was last used.
func (s sessionDir) remove(host, user, uuid string) {
	if uuid == "" {
		return
	}
	_ = os.Remove(filepath.Join(s.of(host, user), uuid))
	last := filepath.Join(s.of(host, user), "._LASTSESS_")
	if s.read(last) == uuid {
		_ = os.Remove(last)
	}
}

// conflicts tells how new properties differ from a session's.
func (s sessionDir) conflicts(host, user, uuid string, with props, ignoreNulls, checkGroup bool) string {
	old, err := s.get(host, user, uuid)
	if err != nil {
		return err.Error()
	}
	keys := []string{"omero.port"}
	if checkGroup {
		keys = append(keys, "omero.group")
	}
	var all []string
	for _, key := range keys {
		was, is := old[key], with[key]
		same := was == is || ignoreNulls && is == ""
		if key == "omero.port" {
			same = same || was == "" && is == defaultPort || was == defaultPort && is == ""
		}
		if !same {
			all = append(all, fmt.Sprintf("%s: %s!=%s", key, orNone(was), orNone(is)))
		}
	}
	return strings.Join(all, "; ")
}

func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}

// available are the sessions of a user.
func (s sessionDir) available(host, user string) []string {
	entries, _ := os.ReadDir(s.of(host, user))
	var all []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, e.Name())
		}
	}
	return all
}

// userOf is the user of a session, or "".
func (s sessionDir) userOf(host, uuid string) string {
	entries, _ := os.ReadDir(filepath.Join(s.dir, host))
	for _, e := range entries {
		if e.IsDir() && s.exists(host, e.Name(), uuid) {
			return e.Name()
		}
	}
	return ""
}

func (s sessionDir) setCurrent(host, user, uuid string, p props) error {
	port := p["omero.port"]
	if port == "" {
		port = defaultPort
	}
	if err := os.MkdirAll(s.of(host, user), 0o755); err != nil { //nolint:gosec // as omero-py makes it
		return err
	}
	for path, text := range map[string]string{
		filepath.Join(s.dir, "._LASTHOST_"):              host,
		filepath.Join(s.dir, "._LASTPORT_"):              port,
		filepath.Join(s.dir, quote(host), "._LASTUSER_"): user,
		filepath.Join(s.of(host, user), "._LASTSESS_"):   uuid,
	} {
		if err := s.write(path, text); err != nil {
			return err
		}
	}
	return nil
}

func (s sessionDir) current() current {
	c := current{host: s.read(filepath.Join(s.dir, "._LASTHOST_")), port: s.read(filepath.Join(s.dir, "._LASTPORT_"))}
	if c.port == "" {
		c.port = defaultPort
	}
	if c.host != "" {
		c.user = s.read(filepath.Join(s.dir, quote(c.host), "._LASTUSER_"))
	}
	if c.user != "" {
		c.uuid = s.read(filepath.Join(s.of(c.host, c.user), "._LASTSESS_"))
	}
	return c
}

func (s sessionDir) read(path string) string {
	text, _ := os.ReadFile(path) //nolint:gosec // its own folder
	return strings.TrimSpace(string(text))
}
