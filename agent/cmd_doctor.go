package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
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
			if o.most < 0 {
				return usageError{errors.New("--limit must not be negative")}
			}
			return a.runDoctor(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.audit, "audit", false, "check all that is recorded")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().IntVarP(&o.most, "limit", "n", 20, "how many violations of each rule are printed; all are counted")
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
	there := false
	if settings.Backend == config.Repository {
		there = c.repository(settings.Repository.Dir)
	}
	if settings.Database.Embedded && missing(filepath.Join(settings.StateDir, "postgres")) {
		c.add("database", "the embedded one, which is made at the first start", nil)
		return nil
	}
	var fault error
	err = withDatabase(ctx, settings, a.quietLog(settings), func(ctx context.Context, url string) error {
		store, err := tracking.Open(ctx, url, 2)
		if err != nil {
			return err
		}
		defer store.Close()
		if err := store.Verify(ctx); err != nil {
			return err
		}
		server, tables, err := store.Version(ctx)
		c.add("database", fmt.Sprintf("PostgreSQL %s, version %d of the tables", server, tables), err)
		if err == nil && o.audit {
			c.Audit = &audit{most: o.most}
			fault = c.Audit.run(ctx, store, settings, there)
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

// missing reports whether there is nothing of this name.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// repository looks for the folder of the repository, and reports whether it is there.
func (c *checkup) repository(dir string) bool {
	if missing(dir) {
		c.add("repository", dir+", which is made at the first start", nil)
		return false
	}
	_, err := os.ReadDir(dir)
	c.add("repository", dir, err)
	return err == nil
}
