package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/model"
)

// Session is a session of a user in a group. It is used by one goroutine at a time.
type Session struct {
	cli  *CLI
	dir  string
	key  string
	user string
	own  bool // opened here
}

// Key joins the session.
func (s *Session) Key() string { return s.key }

// Login opens a session of a user in a group, by the importer's own account. dir is a folder of
// its own for it. A *model.LoginError says that OMERO refuses it; Whether the user is there and
// in the group, Groups tells.
func (c *CLI) Login(ctx context.Context, dir, user, group string) (*Session, error) {
	if strings.HasPrefix(user, "-") || strings.HasPrefix(group, "-") {
		return nil, &model.LoginError{Detail: "names of users and groups that begin with - cannot be given to the omero command"}
	}
	if err := c.login(ctx, dir, "-u", user, "-g", group, "--sudo", c.config.User); err != nil {
		return nil, err
	}
	key, err := storedKey(filepath.Join(dir, url.PathEscape(c.config.Host)))
	if err != nil {
		return nil, fmt.Errorf("looking for the session of %q: %w", user, err)
	}
	return &Session{cli: c, dir: dir, key: key, user: user, own: true}, nil
}

// Join uses a session that was opened elsewhere.
func (c *CLI) Join(dir, key, user string) *Session {
	return &Session{cli: c, dir: dir, key: key, user: user}
}

// login has the command line open a session and keep it in dir.
func (c *CLI) login(ctx context.Context, dir string, who ...string) error {
	args := append([]string{"-q", "login", "-C"}, c.server()...)
	args = append(append(args, who...), "-t", strconv.Itoa(int(c.config.Idle.Seconds())))
	_, _, err := c.run(ctx, call{dir: dir, args: args, password: true})
	f, ended := errors.AsType[*failure](err)
	switch {
	case !ended:
		return classed("logging in to OMERO", err)
	case slices.Contains(refusals, f.exit) && !mayPass(f.errors):
		return &model.LoginError{Detail: lastLine(f.errors), Vague: f.exit == exitOtherLogin}
	default: // nothing that is known of the user
		return fmt.Errorf("logging in to OMERO: %w: %w", model.ErrUnavailable, err)
	}
}

// ownRefused says of a login by the importer's own account that it is this that OMERO does
// not take. What a server says of anything else may pass: while it starts, say.
func ownRefused(err error) error {
	refused, ok := errors.AsType[*model.LoginError](err)
	switch {
	case !ok:
		return err
	case refused.Vague:
		return fmt.Errorf("logging in to OMERO: %w: %s", model.ErrUnavailable, refused.Detail)
	}
	refused.Own = true
	return refused
}

// Ping makes sure that the server answers and takes the importer's own account.
func (c *CLI) Ping(ctx context.Context, dir string) error {
	if err := ownRefused(c.login(ctx, dir, "-u", c.config.User)); err != nil {
		return err
	}
	return c.Logout(ctx, dir)
}

// Sudo makes sure that the importer's own account may act for others.
func (c *CLI) Sudo(ctx context.Context, dir string) error {
	if err := c.login(ctx, dir, "-u", c.config.User, "--sudo", c.config.User); err != nil {
		return err
	}
	return c.Logout(ctx, dir)
}

// Groups are the names of a user's groups, asked for by the importer's own account, and
// whether there is such a user.
func (c *CLI) Groups(ctx context.Context, dir, user string) (groups []string, known bool, err error) {
	s, err := c.open(ctx, dir)
	if err != nil {
		return nil, false, err
	}
	rows, err := s.query(ctx, "looking for the user", "select e.id from Experimenter e where e.omeName="+literal(user), 1)
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	rows, err = s.query(ctx, "looking for the user's groups",
		"select m.parent.id, m.parent.name from GroupExperimenterMap m where m.child.omeName="+literal(user), 2)
	for _, row := range rows {
		groups = append(groups, row[1])
	}
	return groups, true, err
}

// open opens a session of the importer's own account.
func (c *CLI) open(ctx context.Context, dir string) (*Session, error) {
	if err := ownRefused(c.login(ctx, dir, "-u", c.config.User)); err != nil {
		return nil, err
	}
	key, err := storedKey(filepath.Join(dir, url.PathEscape(c.config.Host)))
	if err != nil {
		err = fmt.Errorf("looking for the importer's own session: %w", err)
		return nil, errors.Join(err, c.Logout(ctx, dir))
	}
	return &Session{cli: c, dir: dir, key: key}, nil
}

// Repositories are the folders in which the server has repositories, each a file of its own
// in its database: see omero-blitz's AbstractRepositoryI. They are in common space, which is
// seen from every group.
func (c *CLI) Repositories(ctx context.Context, dir string) ([]model.Repository, error) {
	s, err := c.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	rows, err := s.query(ctx, "looking for the server's repositories", "select f.path, f.name, f.hash from OriginalFile f where f.mimetype='Repository'", 3)
	var found []model.Repository
	for _, row := range rows {
		found = append(found, model.Repository{Path: filepath.Join(row[0], row[1]), UUID: row[2]})
	}
	return found, errors.Join(err, c.Logout(ctx, dir))
}

// Logout ends the sessions that the command line keeps in dir.
func (c *CLI) Logout(ctx context.Context, dir string) error {
	_, _, err := c.run(ctx, call{dir: dir, args: []string{"-q", "logout"}})
	return classed("logging out of OMERO", err)
}

// Close ends the session. One that has ended already is no error.
func (s *Session) Close(ctx context.Context) error {
	if !s.own {
		return nil
	}
	err := s.cli.Logout(ctx, s.dir)
	if errors.Is(err, model.ErrSessionGone) {
		return nil
	}
	return err
}

// errNoKey says that the command line kept no session.
var errNoKey = errors.New("the omero command kept no session")

// storedKey is the name of the newest file of a session in a host's folder: the session's
// UUID. Reading it saves a run of `omero sessions key`. See omero-py's omero/util/sessions.py.
func storedKey(dir string) (key string, err error) {
	var newest fs.FileInfo
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*", "*-*-*-*-*"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if newest == nil || info.ModTime().After(newest.ModTime()) {
			newest, key = info, filepath.Base(file)
		}
	}
	if newest == nil {
		return "", errNoKey
	}
	return key, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
