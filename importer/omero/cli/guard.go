package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// aliveFD is a pipe whose other end the process that started a guard holds.
const aliveFD = 3

// Guard runs a command, and returns how it ended. When the process that started the guard
// dies, however suddenly, the guard kills the command with all that it started, which would
// go on importing otherwise, beside whoever resumes the order. The guard has to lead a
// process group.
func Guard(words []string) (exit int, err error) {
	alive := os.NewFile(aliveFD, "alive")
	if len(words) == 0 || alive == nil || syscall.Getpgrp() != os.Getpid() {
		return 0, errors.New("only the service itself starts a guard")
	}
	go func() {
		_, _ = alive.Read(make([]byte, 1)) // nobody writes
		_ = syscall.Kill(0, syscall.SIGKILL)
	}()
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // the command of the service
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, err
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		// To whoever waits it shall look as without a guard.
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		return 0, fmt.Errorf("the command was ended by signal %d", status.Signal())
	}
	return ended.ExitCode(), nil
}
