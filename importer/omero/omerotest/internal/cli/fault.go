package cli

import (
	"math"
	"os"
	"syscall"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// strike takes a planned fault.
func (a *app) strike(at server.Op, done int) (f server.Fault, struck bool) {
	err := a.Store.Update(func(tx *server.Tx) error {
		f, struck = tx.Strike(at, "", done)
		return nil
	})
	return f, struck && err == nil
}

// kill ends the process as kill -9 does; Java together with the process that
// started it.
func (a *app) kill() {
	if a.parent != 0 && a.parent == os.Getppid() {
		_ = syscall.Kill(a.parent, syscall.SIGKILL)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	wait(math.MaxInt64)
}

// hang stands still.
func hang(f server.Fault) {
	if f.Delay == 0 {
		f.Delay = math.MaxInt64
	}
	wait(f.Delay)
}

// ice is the exception of a lost connection and its like; nil for other kinds.
func ice(k server.Kind) *server.Exception {
	switch k {
	case server.Lost, server.LostBeforePrint:
		return &server.Exception{Class: server.ConnectionLost, Message: "Connection reset by peer"}
	case server.TimedOut:
		return &server.Exception{Class: server.IceTimeout, Message: "Timeout occurred"}
	case server.SessionGone:
		return &server.Exception{Class: server.ObjectNotExist, Message: "Servant not found"}
	case server.Refused:
		return &server.Exception{Class: server.ConnectionRefused, Message: "Connection refused"}
	case server.NoSuchHost:
		return &server.Exception{Class: server.DNS, Message: "Name or service not known"}
	default:
		return nil
	}
}

// loginFault is a fault while a session is opened or joined.
func (a *app) loginFault(f server.Fault, host, port string) error {
	switch f.Kind {
	case server.Refused:
		return &server.Exception{Class: server.ConnectionRefused, Message: host + ":" + port}
	case server.NoSuchHost:
		return &server.Exception{Class: server.DNS, Message: host}
	case server.Violation:
		return &server.Exception{Class: server.SecurityViolation, Message: "Not allowed"}
	case server.OtherLogin:
		return &server.Exception{Class: "omero.InternalException", Message: "Out of memory"}
	case server.Crash:
		a.kill()
	case server.Hang:
		hang(f)
	default:
		if e := ice(f.Kind); e != nil {
			return e
		}
	}
	return nil
}

// commandFault is a fault of hql, obj, logout and zarr, after the login; done
// says that nothing else is to be done.
func (a *app) commandFault(f server.Fault) (done bool, err error) {
	switch f.Kind {
	case server.Crash:
		a.kill()
	case server.Hang:
		hang(f)
		return false, nil
	case server.NoOutput:
		return true, nil
	case server.SessionGone:
		return true, a.gone()
	default:
		if e := ice(f.Kind); e != nil {
			return true, e
		}
	}
	return false, nil
}

// gone closes the session on the server.
func (a *app) gone() error {
	err := a.Store.Update(func(tx *server.Tx) error {
		tx.CloseSession(a.client.actor.Session.UUID)
		return nil
	})
	if err != nil {
		return err
	}
	return ice(server.SessionGone)
}
