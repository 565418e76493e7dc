package cli

import (
	"errors"
	"strconv"
	"time"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// Where the pretended server listens.
const (
	Host = "localhost"
	Port = defaultPort
)

// connect reaches the server, or does not.
func (a *app) connect(host, port string) error {
	if f, struck := a.strike(server.AtLogin, 0); struck {
		if err := a.loginFault(f, host, port); err != nil {
			return err
		}
	}
	if host != Host {
		return &server.Exception{Class: server.DNS, Message: host}
	}
	if port != Port && port != "" {
		return &server.Exception{Class: server.ConnectionRefused, Message: host + ":" + port}
	}
	return nil
}

// attach joins a session. New ones are put on file.
func (a *app) attach(dir sessionDir, key string, p props, isNew, setCurrent bool) error {
	if err := a.connect(p["omero.host"], p["omero.port"]); err != nil {
		return err
	}
	var actor server.Actor
	err := a.Store.Update(func(tx *server.Tx) (err error) {
		actor, err = tx.Join(key)
		return err
	})
	if err != nil {
		return err
	}
	return a.established(dir, actor, p, isNew, setCurrent)
}

// create opens a session, for somebody else with --sudo.
func (a *app) create(dir sessionDir, t *attempt, password string) error {
	if err := a.connect(t.server, t.port); err != nil {
		return err
	}
	sudo := a.values.Get("sudo")
	var actor server.Actor
	err := a.Store.Update(func(tx *server.Tx) error {
		var (
			s   server.Session
			err error
		)
		if sudo == "" {
			s, err = tx.Login(t.user, password, t.props["omero.group"])
		} else {
			s, err = tx.Sudo(sudo, password, t.user, t.props["omero.group"])
		}
		if err != nil {
			return err
		}
		actor, err = tx.Join(s.UUID)
		return err
	})
	if err != nil {
		return err
	}
	if sudo != "" {
		t.props["omero.sudo"] = sudo
	}
	return a.established(dir, actor, t.props, true, true)
}

// established sets the timeout that was asked for, and puts the session on file.
func (a *app) established(dir sessionDir, actor server.Actor, p props, isNew, setCurrent bool) error {
	uuid := actor.Session.UUID
	if seconds, err := strconv.Atoi(p["omero.timeout"]); err == nil && seconds != 0 {
		err := a.Store.Update(func(tx *server.Tx) error { return tx.SetIdle(uuid, time.Duration(seconds)*time.Second) })
		switch {
		case server.Is(err, server.SecurityViolation):
			a.err("UserWarning: Invalid session timeout requested when creating session.")
		case err != nil:
			return err
		}
		err = a.Store.Update(func(tx *server.Tx) error { actor, err = tx.Join(uuid); return err })
		if err != nil {
			return err
		}
	}
	host := p["omero.host"]
	if isNew {
		if err := dir.add(host, actor.User.Name, uuid, p); err != nil {
			return err
		}
	}
	if setCurrent {
		if err := dir.setCurrent(host, actor.User.Name, uuid, p); err != nil {
			return err
		}
	}
	port := p["omero.port"]
	if port == "" {
		port = defaultPort
	}
	a.client = &client{actor: actor, host: host, port: port}
	return nil
}

// failed ends a login that did not come about.
func (a *app) failed(err error, t *attempt) error {
	var e *server.Exception
	if !errors.As(err, &e) {
		return err
	}
	switch e.Class {
	case server.PermissionDenied:
		a.err("%s", e.Message)
		if a.options.NoTerminal {
			return a.noTerminal("cannot request password")
		}
		return a.die(524, "3 incorrect password attempts")
	case server.RemovedSession:
		return a.die(525, "User account error: %s.", e.Message)
	case server.ConnectionRefused:
		where := t.server
		if t.port != "" {
			where += ":" + t.port
		}
		return a.die(554, "Ice.ConnectionRefusedException: %s isn't running", where)
	case server.DNS:
		return a.die(555, "Ice.DNSException: bad host name: '%s'", t.server)
	case server.SecurityViolation:
		return a.die(557, "SecurityViolation: %s", e.Message)
	default:
		return a.die(556, "InternalException: Failed to connect: exception ::%s\n{\n    message = %s\n}", e.Class, e.Message)
	}
}
