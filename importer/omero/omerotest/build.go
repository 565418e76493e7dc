package omerotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// start is where the test process is at its start, before any test changes it.
var start = struct {
	environ   []string
	directory string
	goTool    string
}{os.Environ(), first(os.Getwd()), first(exec.LookPath("go"))}

func first(s string, err error) string {
	if err != nil {
		return ""
	}
	return s
}

// executable is the content of the omero executable. It is built once a process,
// and kept in memory, so that nothing is left of it on disk when the last test's
// folder is gone.
var executable = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "omerotest")
	if err != nil {
		return nil, err
	}
	content, err := build(filepath.Join(dir, "omero"))
	return content, errors.Join(err, os.RemoveAll(dir))
})

func build(path string) ([]byte, error) {
	if start.goTool == "" {
		return nil, errors.New("building the omero executable: there is no go")
	}
	//nolint:gosec // our own package
	cmd := exec.CommandContext(context.Background(), start.goTool, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path,
		"biomero-importer/importer/omero/omerotest/omero")
	cmd.Dir = start.directory
	cmd.Env = slices.Concat(start.environ, []string{"CGO_ENABLED=0"})
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the omero executable: %w\n%s", err, out)
	}
	return os.ReadFile(path) //nolint:gosec // just built
}

// install writes the executable. No process is started meanwhile: it would
// inherit the open file, and the system runs none that is open for writing.
func install(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o755) //nolint:gosec // to be run by any user
}

// killLeft kills the processes of an executable that are left, such as Java whose
// parent was killed.
func killLeft(path string) error {
	pids, err := processes(path)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// processes are those of an executable.
func processes(path string) (pids []int, err error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != path {
			continue // not ours, or gone
		}
		var pid int
		if _, err := fmt.Sscanf(link, "/proc/%d/exe", &pid); err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
