package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// Database is the name of the database that Start makes.
	Database = "biomero"
	// User is the cluster's superuser. No password: the socket's folder lets
	// in nobody but the server's own OS user and root.
	User = "biomero"

	// port only names the socket file; nothing listens on the network. It is
	// spelled out so that a PGPORT in the environment changes nothing.
	port = "5432"

	watchEvery = 250 * time.Millisecond
)

// Options say where the cluster lives and how the server runs.
type Options struct {
	// Dir is the state folder. It is made if missing. For root it must be
	// enterable by the OS user postgres, whom the server then runs as.
	Dir string
	// Log may be nil.
	Log *slog.Logger
	// Parameters are server settings (postgresql.conf names) which override
	// the ones chosen here, except for those that keep the server private.
	// They have no effect on a server that is already running.
	Parameters map[string]string
}

// Cluster is one agent's use of a running server.
type Cluster struct {
	places    places
	log       *slog.Logger
	server    process
	socketDir string
	users     *fileLock

	done     chan struct{}
	leave    chan struct{} // closed by Stop: the watch ends
	stopOnce sync.Once
	stopErr  error
}

// places are the paths below the state folder.
type places struct{ dir, data, run, logFile, startLock, usersLock string }

func placesIn(dir string) places {
	return places{
		dir:       dir,
		data:      filepath.Join(dir, "data"),
		run:       filepath.Join(dir, "run"),
		logFile:   filepath.Join(dir, "postgres.log"),
		startLock: filepath.Join(dir, "start.lock"),
		usersLock: filepath.Join(dir, "users.lock"),
	}
}

// Start returns when the cluster below opts.Dir answers and has its database:
// it makes the cluster on first use, takes over a server that an agent left
// behind, shares one that another agent runs, or starts one. What the caller
// has to change (nothing installed, wrong version, a folder's permissions) is
// an error of class Invalid. When ctx ends, Start ends what it started, except
// that it first finishes making a new cluster, which takes about a second.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	return defaultLauncher().start(ctx, opts)
}

// URL addresses the database for pgx and for libpq alike.
func (c *Cluster) URL() string { return urlOf(c.socketDir, Database) }

// SocketDir is the folder of the server's unix socket.
func (c *Cluster) SocketDir() string { return c.socketDir }

// Done is closed when the server process is gone, whoever ended it, and by
// Stop. A new Start on the same folder brings the server back.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Stop gives up the use of the server and, when no other agent uses it, ends
// it: a fast shutdown until ctx ends, an immediate one after that. Further
// calls return what the first did.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() {
		close(c.leave)
		<-c.done
		c.stopErr = c.stop(ctx)
	})
	return c.stopErr
}

func (c *Cluster) stop(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, c.users.release()) }()
	// A Start in progress would otherwise share a server that is being ended.
	starting, err := acquire(ctx, c.places.startLock, exclusive)
	if err != nil {
		return fmt.Errorf("leaving the database server running: %w", err)
	}
	defer func() { err = errors.Join(err, starting.release()) }()
	last, err := c.users.onlyHolder()
	if err != nil || !last {
		return err
	}
	// Another agent may have replaced a dead server since our Start.
	server := c.server
	file, err := readPIDFile(c.places.data)
	if err != nil {
		return err
	}
	if p, ok := postmasterOf(file.pid, c.places.data); ok {
		server = p
	}
	return server.end(ctx)
}

// watch closes done once the server is gone.
func (c *Cluster) watch(ctx context.Context) {
	defer close(c.done)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.leave:
			return
		case <-tick.C:
			if !c.server.alive() {
				c.log.ErrorContext(ctx, "database server is gone",
					slog.Int("pid", c.server.pid), slog.String("log_file", c.places.logFile))
				return
			}
		}
	}
}

// urlOf spells spaces as %20, since libpq does not read + as one.
func urlOf(socketDir, database string) string {
	query := url.Values{"host": {socketDir}, "port": {port}, "user": {User}}
	return "postgres:///" + database + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}
