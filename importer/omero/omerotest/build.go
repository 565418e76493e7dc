package omerotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

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
	//nolint:gosec // our own package
	cmd := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path,
		"biomero-importer/importer/omero/omerotest/omero")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
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
