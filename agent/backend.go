package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"biomero-importer/agent/config"
	"biomero-importer/agent/engine"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/web"
	"biomero-importer/importer/repository"
)

// omeroBatch is how many files one run of OMERO's importer is given. Each run starts a Java
// machine, which takes seconds.
const omeroBatch = 1000

// Least times for OMERO: a session outlives the pauses of its order, and a request over HTTP
// the server's slower answers.
const (
	leastIdle  = 10 * time.Minute
	webTimeout = time.Minute
)

// backend is what orders are imported into.
type backend interface {
	engine.Backend

	// Container finds a container by name, or makes it.
	Container(ctx context.Context, c importer.Container) (int64, error)
	Close() error
}

// openBackend opens the backend of the settings. dir is a folder for the sessions of this
// process alone. It does not wait for a server.
func openBackend(ctx context.Context, c *config.Config, dir string, share *importer.Share, store *tracking.Store, log *slog.Logger) (backend, error) {
	if c.Backend == config.Repository {
		return repository.Open(repository.Config{Dir: c.Repository.Dir}, share, store.Catalog(), time.Now)
	}
	settings, err := omeroConfig(c, dir)
	if err != nil {
		return nil, err
	}
	settings.Share = share
	b, err := omero.Open(ctx, *settings, log)
	if err != nil {
		return nil, &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return b, nil
}

// withOMERO has a command ask OMERO, with sessions of its own.
func withOMERO(ctx context.Context, c *config.Config, log *slog.Logger, do func(b *omero.Backend) error) (err error) {
	dir, err := os.MkdirTemp("", "biomero-importer-")
	if err != nil {
		return fmt.Errorf("making a folder for a session: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	settings, err := omeroConfig(c, dir)
	if err != nil {
		return err
	}
	b, err := omero.Open(ctx, *settings, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }() //nolint:contextcheck // it has a time of its own
	return outcome(do(b))
}

// guardCommand is how the service runs OMERO's commands by itself. It is nobody else's.
const guardCommand = "guard"

func guard(words []string) (exit int) {
	exit, err := cli.Guard(words)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "biomero-importer guard: "+err.Error())
		return exitBroken
	}
	return exit
}

func omeroConfig(c *config.Config, dir string) (*omero.Config, error) {
	o, i := &c.OMERO, &c.Import
	for _, needed := range []struct{ key, value string }{
		{"omero.host", o.Host}, {"omero.user", o.User}, {"omero.password", string(o.Password)}, {"omero.cli", o.CLI},
	} {
		if needed.value == "" {
			return nil, order.Errorf(order.Invalid, "%s is missing: the backend omero needs it", needed.key)
		}
	}
	for _, word := range []string{o.Host, o.User} {
		if strings.HasPrefix(word, "-") {
			return nil, order.Errorf(order.Invalid, "omero.host and omero.user cannot begin with -, as %q does", word)
		}
	}
	path, err := exec.LookPath(o.CLI)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, order.Errorf(order.Invalid, "there is no command %q to run imports with: install OMERO's command line, or give its path as omero.cli", o.CLI)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	settings := &omero.Config{
		CLI: cli.Config{
			Path: path, Host: o.Host, Port: o.Port, User: o.User, Password: string(o.Password), Dir: o.Dir, Idle: max(i.SessionTTL, leastIdle),
			Guard: []string{self, guardCommand},
			Import: cli.Options{
				ParallelUpload: i.ParallelUpload, ParallelFilesets: i.ParallelFilesets, SkipAll: i.SkipAll, SkipChecksum: i.SkipChecksum,
				SkipMinmax: i.SkipMinmax, SkipThumbnails: i.SkipThumbnails, SkipUpgrade: i.SkipUpgrade,
			},
		},
		Repository: o.Managed, Dir: dir, Logs: c.OrderLogs(), Namespace: i.Namespace, RegisterZarr: i.RegisterZarr,
	}
	if settings.Logs, err = filepath.Abs(settings.Logs); err != nil {
		return nil, err
	}
	if o.WebURL != "" {
		settings.Web = &web.Config{URL: o.WebURL, CAFile: o.CAFile, User: o.User, Password: string(o.Password), Timeout: webTimeout}
	}
	return settings, nil
}

// trouble is what tells why a backend cannot be used, if it can tell.
func trouble(b backend) func() string {
	if server, ok := b.(*omero.Backend); ok {
		return server.Trouble
	}
	return func() string { return "" }
}

// outcome has the exit status tell what kind of fault one of the backend is.
func outcome(err error) error {
	if refused, ok := errors.AsType[*importer.Error](err); ok {
		return &order.Error{Class: order.Invalid, Reason: refused.Reason, Err: refused}
	}
	if errors.Is(err, importer.ErrUnavailable) {
		return &order.Error{Class: order.Busy, Reason: err.Error(), Err: err}
	}
	return err
}

// awaitBackend waits until the backend can be used, for as long as it takes. What is wrong
// with the settings is an error at once.
func awaitBackend(ctx context.Context, b backend) error {
	server, ok := b.(*omero.Backend)
	if !ok {
		return nil
	}
	err := server.Wait(ctx)
	if refused, ok := errors.AsType[*importer.Error](err); ok {
		return &order.Error{Class: order.Denied, Reason: refused.Reason, Err: refused}
	}
	return err
}
