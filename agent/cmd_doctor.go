package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/preprocess"
)

type doctorOptions struct {
	audit, json bool
	most        int
}

// errViolations is how an audit ends that found some.
var errViolations = fmt.Errorf("the audit found violations: %w", errReported)

func (a *app) doctorCommand() *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check what the service needs; with --audit also all that it has recorded",
		Long: `Check that the settings, the database and the folders are as the service needs them.

With --audit, also check all that is recorded in the database and linked in the
repository against the rules that the service keeps to. An audit changes nothing and
can be made while the service runs: orders that are under way break no rule. It reads
every table several times and looks at every link. agent/tracking/README.md lists the
rules.

` + exitCodes,
		Example: `  biomero-importer doctor
  biomero-importer doctor --audit --json | jq '.rules'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.runDoctor(c.Context(), o)
		},
	}
	o.most = 20
	c.Flags().BoolVar(&o.audit, "audit", false, "check all that is recorded")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().VarP(&number{&o.most, 0, math.MaxInt32}, "limit", "n", "how many violations of each rule are printed; all are counted")
	return c
}

// checkup is what a doctor has to say.
type checkup struct {
	Checks []finding `json:"checks"`
	// Audit is nil where none was made.
	Audit *audit `json:"audit"`

	first error // the first check that failed
}

// finding is what became of one check.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (c *checkup) add(name, detail string, err error) {
	if err == nil {
		c.Checks = append(c.Checks, finding{name, true, detail})
		return
	}
	c.Checks = append(c.Checks, finding{name, false, logging.Mask(err.Error())})
	if c.first == nil {
		c.first = err
	}
}

// write prints a line for each check and each violation that is shown.
func (c *checkup) write(w io.Writer) error {
	var b strings.Builder
	for _, check := range c.Checks {
		mark := "ok   "
		if !check.OK {
			mark = "wrong"
		}
		fmt.Fprintf(&b, "%s  %s: %s\n", mark, check.Name, printable(check.Detail))
	}
	if c.Audit != nil {
		c.Audit.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *app) runDoctor(ctx context.Context, o doctorOptions) error {
	c := &checkup{}
	fault := a.examine(ctx, o, c)
	if o.json {
		if err := writeJSON(a.out, c); err != nil {
			return err
		}
	} else if err := c.write(a.out); err != nil {
		return err
	}
	switch {
	case fault != nil:
		return fault
	case c.first != nil:
		return &order.Error{Class: order.ClassOf(c.first), Reason: c.first.Error(), Err: errReported}
	case c.Audit != nil && c.Audit.Violations > 0:
		return errViolations
	}
	return nil
}

// examine makes the checks. A returned error is one of the audit itself.
func (a *app) examine(ctx context.Context, o doctorOptions, c *checkup) error {
	settings, err := config.Load(a.settings, a.env)
	detail := a.settings
	if detail == "" {
		detail = "the defaults and the environment"
	}
	c.add("settings", detail, err)
	if err != nil {
		return nil //nolint:nilerr // it is told as a check
	}
	share, err := importer.OpenShare(settings.BaseDir)
	if err == nil {
		err = share.Close()
	} else {
		err = &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	c.add("base_dir", settings.BaseDir, err)
	if err == nil && slices.Contains(settings.Roles, config.Watch) {
		c.watched(settings)
	}
	c.add("state_dir", settings.StateDir, writable(settings.StateDir))
	c.add("logs", settings.OrderLogs(), writable(settings.OrderLogs()))
	if slices.Contains(settings.Roles, config.Work) {
		c.podman(ctx, &settings.Podman)
		c.notified(ctx, settings)
	}
	there := unread
	if settings.Backend == config.Repository {
		there = c.repository(settings.Repository.Dir)
	} else if slices.Contains(settings.Roles, config.Work) {
		c.omero(ctx, settings)
	}
	if settings.Database.Embedded && missing(filepath.Join(settings.StateDir, "postgres")) {
		c.add("database", "the embedded one, which is made at the first start", nil)
		return nil
	}
	var fault error
	err = a.inStore(ctx, settings, func(ctx context.Context, store *tracking.Store) error {
		server, tables, err := store.Version(ctx)
		c.add("database", fmt.Sprintf("PostgreSQL %s, version %d of the tables", server, tables), err)
		if err == nil {
			c.rights(ctx, store)
		}
		if err == nil && o.audit {
			c.Audit = &audit{most: o.most, repository: there}
			fault = denied(c.Audit.run(ctx, store, settings))
			if c.Audit.Complete = fault == nil; fault != nil {
				c.Audit.Error = logging.Mask(fault.Error())
			}
		}
		return nil
	})
	if err != nil {
		c.add("database", "", err)
	}
	return fault
}

// rights looks at what the database's account may do.
func (c *checkup) rights(ctx context.Context, store *tracking.Store) {
	lacked, err := store.LackedRights(ctx)
	if len(lacked) > 0 {
		err = fmt.Errorf("the service's account lacks %s: have the owner of the tables grant it", strings.Join(lacked, ", "))
	}
	c.add("database rights", "the account may read and write what clients do", err)
}

// podman asks the service that runs converters. Where the settings name none there need
// not be one.
func (c *checkup) podman(ctx context.Context, p *config.Podman) {
	c.add("podman.temp_dir", p.TempDir, writable(p.TempDir))
	client, err := converters(p, "doctor", slog.New(slog.DiscardHandler))
	if err != nil {
		c.add("podman", "", err)
		return
	}
	defer func() { _ = client.Close() }()
	status, err := client.Status(ctx)
	service := "version " + status.Version + " at " + logging.Mask(status.Socket)
	switch {
	case errors.Is(err, preprocess.ErrUnavailable) && p.Socket == "":
		c.add("podman", "none answers: orders that ask for preprocessing wait for it", nil)
	case err != nil:
		c.add("podman", "", err)
	case len(status.Missing) == 0:
		c.add("podman", service, nil)
	default:
		lacks := "its host cannot limit " + strings.Join(status.Missing, ", ")
		if p.Strict {
			err = &order.Error{Class: order.Invalid, Reason: lacks + ", which podman.strict asks for: no converter runs"}
		}
		c.add("podman", service+"; "+lacks, err)
	}
}

// omero asks OMERO, and looks at its repository.
func (c *checkup) omero(ctx context.Context, settings *config.Config) {
	c.add("omero.managed_repository", settings.OMERO.Managed, writable(settings.OMERO.Managed))
	err := withOMERO(ctx, settings, slog.New(slog.DiscardHandler), func(b *omero.Backend) error { return b.Ping(ctx) })
	c.add("omero", fmt.Sprintf("%s answers and takes the account %s", settings.OMERO.Host, settings.OMERO.User), err)
}

// missing reports whether there is nothing of this name.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// presence says what is known of the repository's folder.
type presence int

const (
	unread  presence = iota // it cannot be read, or nothing imports into it
	absent                  // it is not there
	present                 // it can be read
)

// repository looks at the folder of the repository.
func (c *checkup) repository(dir string) presence {
	if missing(dir) {
		c.add("repository", dir+", which is made at the first start", writable(dir))
		return absent
	}
	if _, err := os.ReadDir(dir); err != nil {
		c.add("repository", dir, denied(err))
		return unread
	}
	c.add("repository", dir, writable(dir))
	return present
}

// watched looks for the folders that the rules spell out: what lies below them may
// come later.
func (c *checkup) watched(settings *config.Config) {
	told := map[string]bool{}
	for _, rule := range settings.Rules {
		root := rule.Path
		if spelled, _, captures := strings.Cut(root, "{"); captures {
			root = filepath.Dir(spelled)
		}
		if told[root] {
			continue
		}
		told[root] = true
		_, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			err = &order.Error{Class: order.Invalid, Reason: "the watched folder " + root + " is not there", Err: err}
		}
		c.add("watch", root, denied(err))
	}
}

// writable says why this user cannot write into a folder, or make it where it is
// missing.
func writable(dir string) error {
	for missing(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return denied(err)
	case !info.IsDir():
		return &order.Error{Class: order.Invalid, Reason: dir + " is not a folder"}
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return denied(&fs.PathError{Op: "writing into", Path: dir, Err: err})
	}
	return nil
}

// denied classifies a lack of rights.
func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &order.Error{Class: order.Denied, Reason: err.Error(), Err: err}
	}
	return err
}
