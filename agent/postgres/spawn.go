package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// spawn starts the server process, which outlives ctx and this process.
func spawn(ctx context.Context, c *Cluster, bin binaries, owner account, parameters map[string]string, logFile *os.File) (process, error) {
	args := []string{"-D", c.places.data}
	for _, set := range []map[string]string{defaults, parameters, {
		"listen_addresses":        "",
		"port":                    port,
		"unix_socket_directories": c.socketDir,
		"unix_socket_permissions": "0700",
	}} {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			args = append(args, "-c", name+"="+set[name]) // of two, the later one counts
		}
	}
	cmd := owner.command(context.WithoutCancel(ctx), bin.path("postgres"), args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// A left-over pid file whose number now is somebody else's (usual in a
	// restarted container) would stop the server. It disregards the pid given
	// by this variable, and still checks that no old backend uses the data;
	// removing the file would take that check away.
	file, err := readPIDFile(c.places.data)
	if err != nil {
		return process{}, err
	}
	if file.pid > 0 && unrelated(file.pid, c.places.data) {
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(file.pid))
	}
	if err := cmd.Start(); err != nil {
		return process{}, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	p, _, ok := lookUp(cmd.Process.Pid) // as a zombie at least, it is there
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil || !ok {
		return process{}, errors.Join(fmt.Errorf("following the database server (pid %d)", pid), err, syscall.Kill(pid, syscall.SIGQUIT))
	}
	return p, nil
}

// defaults suit a few agents on a machine that does other work as well.
var defaults = map[string]string{
	"cluster_name":    "biomero-importer",
	"log_checkpoints": "off", // a line every five minutes, for ever
	"log_line_prefix": "%m [%p] ",
	"max_connections": "200",
	"max_wal_size":    "512MB",
	"shared_buffers":  "128MB",
}
