package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// javaMark is the first argument of a process that stands for Java. The id of
// the process that started it and the key of the session follow, and then
// the arguments of that process.
const javaMark = "\x01java"

// java starts Java and waits for it, as omero-py does. They are two processes:
// whoever kills only the first leaves Java at work, with the streams open.
func (a *app) java(key string, stdout, stderr io.Writer) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{javaMark, strconv.Itoa(os.Getpid()), key}, a.Args...)
	cmd := exec.CommandContext(context.Background(), executable, args...) //nolint:gosec // itself
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Stdin, stdout, stderr
	err = cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return err
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return errors.New("the system tells nothing of a process that ended")
	case status.Signaled() && status.Signal() == syscall.SIGTERM:
		return &exit{143} // which Java does itself
	case status.Signaled():
		return &exit{-int(status.Signal())} // which Python makes of it
	default:
		return &exit{status.ExitStatus()}
	}
}

// runJava is the process that stands for Java.
func runJava(p Process) int {
	key := p.Args[2]
	parent, err := strconv.Atoi(p.Args[1])
	p.Args = p.Args[3:]
	p.parent = parent
	a := &app{Process: p}
	if err == nil {
		a.values, _, err = newParser().Parse(p.Args)
	}
	if err == nil {
		err = p.Store.Update(func(tx *server.Tx) error {
			a.options = tx.Options()
			if key == "" {
				return nil
			}
			actor, err := tx.Join(key)
			a.client = &client{actor: actor, host: Host, port: Port}
			return err
		})
	}
	j := newJVM(a)
	switch {
	case server.Is(err, server.PermissionDenied):
		err = j.uncaught(&server.Exception{Class: server.PermissionDenied, Message: "No session with uuid: " + key})
	case err == nil:
		err = j.run()
	}
	return a.status(err)
}
