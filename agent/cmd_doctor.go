package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"biomero-importer/agent/doctor"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
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
		Long: `Check that the settings, the database, the folders, the kernel's limits, clocks, podman and
OMERO are as the service needs them, and say of each that is not what to do. Run it as the
service's user, whose rights count. It makes a file in base_dir, to see by which clock that
goes, and removes it. What is only worth a look is no fault. agent/README.md documents the
JSON.

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
	Checks []doctor.Finding `json:"checks"`
	// Audit is nil where none was made.
	Audit *audit `json:"audit"`

	first error // the first check that failed
}

func (c *checkup) put(f doctor.Finding) {
	f.Detail = logging.Mask(f.Detail)
	c.Checks = append(c.Checks, f)
	if c.first == nil {
		c.first = f.Err
	}
}

// marks are how states begin their lines.
var marks = map[doctor.State]string{doctor.OK: "ok   ", doctor.Look: "look ", doctor.Wrong: "wrong", doctor.Unknown: "?    "}

// write prints a line for each check and each violation that is shown.
func (c *checkup) write(w io.Writer) error {
	var b strings.Builder
	for _, check := range c.Checks {
		fmt.Fprintf(&b, "%s  %s: %s\n", marks[check.State], check.Name, printable(check.Detail))
		if check.Fix != "" {
			fmt.Fprintf(&b, "       %s\n", printable(check.Fix))
		}
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
