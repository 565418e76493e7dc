package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pidFile is what a server writes about itself into its data folder. While it
// starts, only the first fields are there.
type pidFile struct {
	pid       int // 0: no server; negative: a single-user one
	socketDir string
}

func readPIDFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // a path of ours
	if errors.Is(err, os.ErrNotExist) {
		return pidFile{}, nil
	}
	if err != nil {
		return pidFile{}, fmt.Errorf("reading which database server is running: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	var file pidFile
	// An empty or damaged file names nobody; the server deals with it.
	file.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 4 {
		file.socketDir = lines[4]
	}
	return file, nil
}

// postmasterOf says whether pid, which the pid file names, is a server of the
// cluster in data: after a reboot, or in a new container, it may be anybody's.
func postmasterOf(pid int, data string) (process, bool) {
	if pid <= 0 {
		return process{}, false
	}
	p, _, ok := lookUp(pid)
	if !ok || !p.alive() {
		return process{}, false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || !slices.Contains([]string{"initdb", "postgres", "postmaster"}, strings.TrimSpace(string(name))) {
		return process{}, false
	}
	want, err := os.Stat(data)
	if err != nil {
		return process{}, false
	}
	// A server's working directory is its data folder. Root without
	// CAP_SYS_PTRACE, as in most containers, may not look; anybody may read
	// the command line, which we wrote.
	have, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		args := strings.Split(string(line), "\x00")
		at := slices.Index(args, "-D")
		if err != nil || at < 0 || at+1 >= len(args) {
			return process{}, false
		}
		have, err = os.Stat(args[at+1]) //nolint:gosec // looked at, never opened
		if err != nil {
			return process{}, false
		}
	}
	return p, os.SameFile(want, have)
}

// unrelated says that pid is certainly no server of the cluster in data.
func unrelated(pid int, data string) bool {
	if _, running := postmasterOf(pid, data); running {
		return false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || strings.HasPrefix(string(name), "post") {
		// Of another postgres, only its working directory is proof enough.
		_, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
		return err == nil
	}
	return true
}

// orphans are what is left of a server on the data folder that has no pid file
// of its own any more: backends in a long computation whose postmaster was
// killed, a server so new that it has not written the file, or an initdb.
func orphans(data string) (found []process) {
	entries, _ := os.ReadDir("/proc") // then there is no process to be found either
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := postmasterOf(pid, data); ok {
			found = append(found, p)
		}
	}
	return found
}
