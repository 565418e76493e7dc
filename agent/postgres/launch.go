package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"biomero-importer/agent/order"
)

// launcher holds what tests replace.
type launcher struct {
	search search
	// patience is how long a running server may stay silent.
	patience time.Duration
}

func defaultLauncher() launcher {
	return launcher{search: defaultSearch(), patience: 30 * time.Second}
}

func (l launcher) start(ctx context.Context, opts Options) (_ *Cluster, err error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the state folder: %w", err)
	}
	if opts.Dir == "" || strings.ContainsAny(dir, "\n\r") {
		return nil, order.Errorf(order.Invalid, "the embedded database cannot live in the folder %q: choose another state_dir", opts.Dir)
	}
	// Passable, not readable: as root the server runs as another user.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // the data below is 0700
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	c := &Cluster{places: placesIn(dir), log: opts.Log, done: make(chan struct{}), leave: make(chan struct{})}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	starting, err := acquire(ctx, c.places.startLock, exclusive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, starting.release()) }()
	c.users, err = acquire(ctx, c.places.usersLock, shared)
	if err != nil {
		return nil, err
	}
	if err := l.bringUp(ctx, c, opts.Parameters); err != nil {
		return nil, errors.Join(err, c.users.release())
	}
	go c.watch(context.WithoutCancel(ctx))
	return c, nil
}

// bringUp finds or makes the server and its database.
func (l launcher) bringUp(ctx context.Context, c *Cluster, parameters map[string]string) error {
	owner, err := serverAccount(c.places.data)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		adopted, err := l.adopt(ctx, c)
		if err != nil {
			return err
		}
		if !adopted {
			err = l.launch(ctx, c, owner, parameters)
		}
		switch {
		case err == nil:
			if err = makeDatabase(ctx, c.socketDir); err != nil && !adopted {
				err = errors.Join(err, c.server.end(ctx))
			}
			return err
		case ctx.Err() != nil || attempt == 3:
			return err
		}
		// A server that a dying agent had just started may have won the race
		// for the data folder: look again. If there is none, this is the news.
		if file, fileErr := readPIDFile(c.places.data); fileErr != nil || file.pid <= 0 {
			return err
		} else if _, running := postmasterOf(file.pid, c.places.data); !running {
			return err
		}
	}
}

// launch starts a server on the data folder and waits until it answers.
func (l launcher) launch(ctx context.Context, c *Cluster, owner account, parameters map[string]string) error {
	major, err := majorOf(c.places.data)
	if err != nil {
		return err
	}
	bin, err := l.search.pick(ctx, c.places.data, major)
	if err != nil {
		return err
	}
	if err := owner.prepareDir(ctx, c.places.dir, bin); err != nil {
		return err
	}
	if c.socketDir, err = socketFolder(c.places, owner); err != nil {
		return err
	}
	if err := l.removePartials(ctx, c); err != nil {
		return err
	}
	if err := l.endOrphans(ctx, c.log, c.places.data, syscall.SIGTERM); err != nil {
		return err
	}
	logFile, begin, err := openLog(c.places.logFile)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }() // the server has its own copy
	if major == 0 {
		if err := makeCluster(ctx, c, bin, owner, parameters["fsync"] != "off", logFile); err != nil {
			return fmt.Errorf("%w%s", err, lastLines(c.places.logFile, begin))
		}
	}
	c.server, err = spawn(ctx, c, bin, owner, parameters, logFile)
	if err != nil {
		return err
	}
	if err := waitReady(ctx, c.server, c.socketDir, l.patience); err != nil {
		return errors.Join(fmt.Errorf("starting PostgreSQL %d on %s: %w%s", bin.major, c.places.data, err,
			lastLines(c.places.logFile, begin)), c.server.end(ctx))
	}
	c.log.InfoContext(ctx, "database server started", slog.Int("pid", c.server.pid),
		slog.Int("version", bin.major), slog.String("socket_dir", c.socketDir))
	return nil
}

// letFinish is the signal 0, which the kernel does not deliver.
const letFinish = syscall.Signal(0)

// endOrphans clears a data folder of what would stop a new server, or spoil
// its data: each process gets the gentle signal and then time to obey. The log
// in that folder keeps what was committed.
func (l launcher) endOrphans(ctx context.Context, log *slog.Logger, data string, gentle syscall.Signal) error {
	file, err := readPIDFile(data)
	if err != nil || file.pid < 0 {
		return err // somebody repairs the cluster by hand: the server will say so
	}
	for _, orphan := range orphans(data) {
		log.WarnContext(ctx, "ending what a dead database server or agent left", slog.Int("pid", orphan.pid))
		bound, cancel := context.WithTimeout(ctx, l.patience)
		err := orphan.endBy(bound, gentle)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
