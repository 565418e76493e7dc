package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// partial begins the names of clusters in the making. Each is made under a
// name of its own: should the initdb of a killed agent somehow go on writing,
// it does not write there.
const partial = "data.partial"

// initdbBound is far more than making a cluster takes on a slow disk.
const initdbBound = 5 * time.Minute

// removePartials removes what starts that died while making a cluster left.
func (l launcher) removePartials(ctx context.Context, c *Cluster) error {
	entries, err := os.ReadDir(c.places.dir)
	if err != nil {
		return fmt.Errorf("listing the state folder: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), partial) {
			continue
		}
		path := filepath.Join(c.places.dir, entry.Name())
		if err := l.endOrphans(ctx, c.log, path, letFinish); err != nil {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			c.log.WarnContext(ctx, "could not remove a half-made cluster", slog.Any("error", err))
		}
	}
	return nil
}

// makeCluster makes a new cluster in the data folder, all at once.
func makeCluster(ctx context.Context, c *Cluster, bin binaries, owner account, durable bool, logFile *os.File) (err error) {
	work, err := os.MkdirTemp(c.places.dir, partial+"-")
	if err != nil {
		return fmt.Errorf("making the folder of the database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	if err := owner.own(work); err != nil {
		return err
	}
	// The C locale sorts by bytes for ever; others change with the system's
	// libraries and silently break indexes.
	args := []string{
		"-D", work, "--username", User, "--encoding=UTF8", "--locale=C", "--data-checksums",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	// Interrupted, it would leave shared memory behind; finished, it spares the
	// next start the work. It takes about a second.
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), initdbBound)
	defer cancel()
	cmd := owner.command(bound, bin.path("initdb"), args...)
	cmd.Dir = work                            // tells whose it is, should it outlive us
	cmd.Stdout, cmd.Stderr = logFile, logFile // a pipe would kill it if we died
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("making a database cluster in %s: %w", work, err)
	}
	if err := os.Rename(work, c.places.data); err != nil {
		return fmt.Errorf("putting the new database cluster in its place: %w", err)
	}
	if durable {
		if err := syncFolder(c.places.dir); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// syncFolder makes renames in the folder survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // a path of ours
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("writing %s to disk: %w", path, err)
	}
	return nil
}
