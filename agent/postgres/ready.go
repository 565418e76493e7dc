package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	connectTimeout = 5 * time.Second

	// SQLSTATEs of PostgreSQL's Appendix A.
	cannotConnectNow  = "57P03"
	duplicateDatabase = "42P04"
	uniqueViolation   = "23505"
)

var (
	errGone   = errors.New("the server process ended")
	errSilent = errors.New("the server does not answer")
)

// adopt takes over the server that already runs on the data folder, if one
// does. One that stays silent is ended, so that a new one can start.
func (l launcher) adopt(ctx context.Context, c *Cluster) (bool, error) {
	file, err := readPIDFile(c.places.data)
	if err != nil {
		return false, err
	}
	running, ok := postmasterOf(file.pid, c.places.data)
	if !ok {
		return false, nil
	}
	// One that has only just started has not written where its socket is.
	bound, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for file.socketDir == "" && running.alive() && bound.Err() == nil {
		select {
		case <-bound.Done():
		case <-tick.C:
			if file, err = readPIDFile(c.places.data); err != nil {
				return false, err
			}
		}
	}
	err = errSilent
	if file.socketDir != "" {
		err = waitReady(ctx, running, file.socketDir, l.patience)
	}
	if err == nil {
		err = serves(ctx, file.socketDir, c.places.data)
	}
	switch {
	case err == nil:
		c.server, c.socketDir = running, file.socketDir
		c.log.InfoContext(ctx, "using the running database server", slog.Int("pid", running.pid))
		return true, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("waiting for the running database server (pid %d): %w", running.pid, ctx.Err())
	case errors.Is(err, errGone):
		return false, nil
	case !errors.Is(err, errSilent):
		// It refuses us (too many connections, say), but others may be using it.
		return false, fmt.Errorf("using the running database server (pid %d): %w", running.pid, err)
	}
	c.log.WarnContext(ctx, "ending a database server that does not answer", slog.Int("pid", running.pid), slog.Any("error", err))
	grace, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	return false, running.end(grace)
}

// waitReady returns nil once the server takes connections. While it says that
// it is busy recovering only ctx limits the wait, since that may take long;
// while it says nothing, patience does.
func waitReady(ctx context.Context, p process, socketDir string, patience time.Duration) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	heard := time.Now()
	for {
		conn, err := connect(ctx, socketDir, min(connectTimeout, patience))
		if err == nil {
			return conn.Close(ctx)
		}
		refusal, answered := errors.AsType[*pgconn.PgError](err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !p.alive():
			return errGone
		case answered && refusal.Code == cannotConnectNow:
			heard = time.Now()
			// Its clients would keep a server waiting that was asked to end.
			if strings.Contains(refusal.Message, "shutting down") {
				if err := p.signal(syscall.SIGINT); err != nil {
					return err
				}
			}
		case answered:
			return fmt.Errorf("connecting to the database server: %w", err)
		case time.Since(heard) > patience:
			return fmt.Errorf("%w: %w", errSilent, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func connect(ctx context.Context, socketDir string, timeout time.Duration) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(urlOf(socketDir, "postgres"))
	if err != nil {
		return nil, fmt.Errorf("reading the address of the database server: %w", err)
	}
	config.ConnectTimeout = timeout
	return pgx.ConnectConfig(ctx, config)
}

// serves makes sure that whoever answers on the socket has our data.
func serves(ctx context.Context, socketDir, data string) (err error) {
	conn, err := connect(ctx, socketDir, connectTimeout)
	if err != nil {
		return fmt.Errorf("connecting to the database server: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var folder string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&folder); err != nil {
		return fmt.Errorf("asking the database server for its folder: %w", err)
	}
	want, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	}
	if have, err := os.Stat(folder); err != nil || !os.SameFile(want, have) {
		return fmt.Errorf("the server on the socket in %s serves %s, not %s", socketDir, folder, data)
	}
	return nil
}

// makeDatabase makes sure that the database exists.
func makeDatabase(ctx context.Context, socketDir string) (err error) {
	conn, err := connect(ctx, socketDir, connectTimeout)
	if err != nil {
		return fmt.Errorf("connecting to the database server: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists); err != nil {
		return fmt.Errorf("looking for the database %s: %w", Database, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+Database); err != nil {
		if known, ok := errors.AsType[*pgconn.PgError](err); ok && (known.Code == duplicateDatabase || known.Code == uniqueViolation) {
			return nil
		}
		return fmt.Errorf("making the database %s: %w", Database, err)
	}
	return nil
}
