package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// client is an open session.
type client struct {
	actor server.Actor
	host  string
	port  string
}

// conn logs in unless that was done, as every command does that needs a session.
func (a *app) conn() (*client, error) {
	if a.client == nil {
		if err := a.login(); err != nil {
			return nil, err
		}
	}
	return a.client, nil
}

// attempt is what a login was asked for.
type attempt struct {
	server, user, port, password string
	props                        props
}

var connection = regexp.MustCompile(`^(?:(.+)@)?(.*?)(?::(\d{1,5}))?$`)

// login opens or joins a session (omero-py, plugins/sessions.py). With a key it
// joins that session, and whatever goes wrong is a bad key: also when the server
// is down. Without, it takes the session that was last used if what was asked for
// does not differ; and else opens one, with a password.
func (a *app) login() error {
	dir, err := a.sessionDir()
	if err != nil {
		return err
	}
	last := dir.current()
	t, err := a.asked()
	if err != nil {
		return err
	}
	key := a.values.Get("key")
	if key != "" {
		a.overriding(t)
		t.user = key
	} else if last.host != "" && last.user != "" && !a.differs(t, last) {
		if used, err := a.reuse(dir, t, last); used || err != nil {
			return err
		}
	}
	if t.server == "" {
		return a.noTerminal("cannot request server")
	}
	if t.user == "" {
		return a.noTerminal("cannot request username")
	}
	t.props["omero.host"], t.props["omero.user"] = t.server, t.user
	if t.port != "" {
		t.props["omero.port"] = t.port
	}
	if seconds := a.values.Get("timeout"); seconds != "" {
		t.props["omero.timeout"] = seconds
	}
	if key != "" {
		return a.join(dir, t, key)
	}
	if !a.values.Has("create") {
		for _, uuid := range dir.available(t.server, t.user) {
			if a.checkAndAttach(dir, t, t.user, uuid, true) {
				return a.handle("Reconnected to")
			}
		}
	}
	return a.open(dir, t)
}

// asked reads the arguments.
func (a *app) asked() (*attempt, error) {
	v := a.values
	t := &attempt{server: v.Get("connection"), password: v.Get("password"), props: props{}}
	if group := v.Get("group"); group != "" {
		t.props["omero.group"] = group
	}
	if s := v.Get("server"); s != "" {
		if t.server != "" {
			return nil, a.die(3, "Server specified twice: %s and %s", t.server, s)
		}
		t.server = s
	}
	if t.server != "" {
		m := connection.FindStringSubmatch(t.server)
		t.user, t.server, t.port = m[1], m[2], m[3]
	}
	if user := v.Get("user"); user != "" {
		if t.user != "" {
			return nil, a.die(4, "Username specified twice: %s and %s", t.user, user)
		}
		t.user = user
	}
	if port := v.Get("port"); port != "" {
		if t.port != "" {
			return nil, a.die(5, "Port specified twice: %s and %s", t.port, port)
		}
		t.port = port
	}
	return t, nil
}

// overriding says what a key makes useless.
func (a *app) overriding(t *attempt) {
	if a.quiet {
		return
	}
	if t.user != "" {
		a.err("Overriding name since session key set")
	}
	if a.values.Has("group") {
		a.err("Ignoring group since session key set")
	}
	if t.password != "" {
		a.err("Ignoring password since session key set")
	}
}

func (a *app) differs(t *attempt, last current) bool {
	return a.values.Has("create") || t.server != "" && t.server != last.host ||
		t.user != "" && t.user != last.user || t.port != "" && t.port != last.port
}

// reuse takes the session that was last used. One that is gone is said so on
// standard output, whatever that is read by.
func (a *app) reuse(dir sessionDir, t *attempt, last current) (bool, error) {
	if last.uuid == "" {
		if !a.quiet {
			a.out(fmt.Sprintf("Previously logged in to %s:%s as %s", last.host, last.port, last.user))
		}
		return false, nil
	}
	if dir.conflicts(last.host, last.user, last.uuid, t.props, true, true) != "" {
		if !a.quiet {
			a.out(fmt.Sprintf("Previously logged in to %s:%s as %s", last.host, last.port, last.user))
		}
		return false, nil
	}
	p, err := dir.get(last.host, last.user, last.uuid)
	if err == nil {
		err = a.attach(dir, last.uuid, p, false, true)
	}
	if err != nil {
		a.out(fmt.Sprintf("Previous session expired for %s on %s:%s", last.user, last.host, last.port))
		dir.remove(last.host, last.user, last.uuid)
		return false, nil //nolint:nilerr // as if there had been none
	}
	return true, a.handle("Using")
}

// join joins the session of a key.
func (a *app) join(dir sessionDir, t *attempt, key string) error {
	var joined bool
	if stored := dir.userOf(t.server, key); stored != "" {
		joined = a.checkAndAttach(dir, t, stored, key, false)
	} else {
		joined = a.attach(dir, key, t.props, true, false) == nil
	}
	if joined {
		return a.handle("Joined")
	}
	if t.port != "" {
		return a.die(523, "Bad session key. Cannot join %s on %s:%s.", key, t.server, t.port)
	}
	return a.die(523, "Bad session key. Cannot join %s on %s.", key, t.server)
}

// checkAndAttach joins a session that is on file, unless it conflicts; one that
// cannot be joined, for whatever reason, is then no longer on file.
func (a *app) checkAndAttach(dir sessionDir, t *attempt, user, uuid string, checkGroup bool) bool {
	if conflicts := dir.conflicts(t.server, user, uuid, t.props, false, checkGroup); conflicts != "" {
		if !strings.Contains(conflicts, "omero.port") && !a.quiet {
			a.err("Skipped session %s due to property conflicts: %s", uuid, conflicts)
		}
		return false
	}
	p, err := dir.get(t.server, user, uuid)
	if err == nil {
		err = a.attach(dir, uuid, p, false, true)
	}
	if err != nil {
		dir.remove(t.server, user, uuid)
		return false
	}
	return true
}

// open opens a session with a password.
func (a *app) open(dir sessionDir, t *attempt) error {
	password := t.password
	if password == "" {
		password = a.getenv("OMERO_PASSWORD")
	}
	if password == "" {
		return a.noTerminal("cannot request password")
	}
	err := a.create(dir, t, password)
	if err == nil {
		return a.handle("Created")
	}
	return a.failed(err, t)
}

// noTerminal ends a process that would have to ask somebody.
func (a *app) noTerminal(what string) error {
	return a.die(564, "stdin is not a terminal: %s", what)
}

// handle tells of a new connection.
func (a *app) handle(action string) error {
	if a.quiet {
		return nil
	}
	idle := a.client.actor.Session.Idle
	timeout := fmt.Sprintf("%.f min.", idle.Minutes())
	if idle.Minutes() < 5 {
		timeout = fmt.Sprintf("%.f s.", idle.Seconds())
	}
	a.err("%s session for %s@%s:%s. Idle timeout: %s Current group: %s", action,
		a.client.actor.User.Name, a.client.host, a.client.port, timeout, a.client.actor.Group.Name)
	return nil
}

// logout closes the session that was last used. It always succeeds.
func (a *app) logout() error {
	dir, err := a.sessionDir()
	if err != nil {
		return err
	}
	last := dir.current()
	if p, err := dir.get(last.host, last.user, last.uuid); err == nil && last.uuid != "" {
		if err = a.attach(dir, last.uuid, p, false, true); err == nil {
			err = a.closeSession(last.uuid)
		}
		if _, failed := errors.AsType[*server.Exception](err); err != nil && !failed {
			return err
		}
	}
	dir.remove(last.host, last.user, last.uuid)
	return nil
}

func (a *app) closeSession(uuid string) error {
	if f, struck := a.strike(server.AtLogout, 0); struck {
		if done, err := a.commandFault(f); done || err != nil {
			return err
		}
	}
	return a.Store.Update(func(tx *server.Tx) error { tx.CloseSession(uuid); return nil })
}

// key prints the session that was last used, without asking the server whether it
// is still there.
func (a *app) key() error {
	dir, err := a.sessionDir()
	if err != nil {
		return err
	}
	if last := dir.current(); last.uuid != "" {
		fmt.Fprintln(a.Stdout, last.uuid)
	}
	return nil
}
