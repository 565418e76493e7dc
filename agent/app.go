package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
)

// version is set by the linker.
var version = "dev"

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
	abort    <-chan struct{} // closed when running work is to be cancelled

	settings string // --config
}

// Exit codes by class of error, as the help lists them.
const (
	exitBroken  = 1
	exitInvalid = 2
	exitDenied  = 3
	exitBusy    = 4
	exitFound   = 5
	exitFailed  = 6
)

const exitCodes = `Exit status:
  0  done
  1  a fault of the program or the machine
  2  something given is wrong: an argument, a setting, a manifest, an order
  3  not allowed
  4  not possible now; the same may succeed later
  5  an audit found violations
  6  the order that was watched has failed`

// main runs a command and returns the exit status.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand() //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errReported) {
		_, _ = fmt.Fprintln(a.err, "biomero-importer: "+printableLines(logging.Mask(err.Error())))
	}
	return exitCode(err)
}

// errReported is an error whose text the user has seen already.
var errReported = errors.New("reported")

// usageError is a wrong command line.
type usageError struct{ error }

func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitInvalid
	}
	if errors.Is(err, errViolations) {
		return exitFound
	}
	if errors.Is(err, errOrderFailed) {
		return exitFailed
	}
	switch order.ClassOf(err) {
	case order.Invalid:
		return exitInvalid
	case order.Denied:
		return exitDenied
	case order.Busy:
		return exitBusy
	default:
		return exitBroken
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "biomero-importer",
		Short: "Imports images from shared storage into OMERO, in place",
		Long: `biomero-importer watches shared storage. Files dropped into watched folders, order
manifests beside them and rows inserted into the imports table become import
orders; each is carried out in place, by symlink, and reported.

` + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	groupOnly(root)
	root.PersistentFlags().StringVarP(&a.settings, "config", "c", "",
		"settings file; without it, defaults and the environment count")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nSee `%s --help`", err, c.CommandPath())}
	})
	root.AddCommand(a.runCommand(), a.demoCommand(), a.migrateCommand(), a.versionCommand(), a.validateCommand(), a.explainCommand(), a.dropsCommand(), a.initCommand(),
		a.orderCommand(), a.doctorCommand(), a.notifyCommand(), a.selfTestCommand())
	return root
}

// arguments turns cobra's check of positional arguments into a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w\nSee `%s --help`", err, c.CommandPath())}
		}
		return nil
	}
}

// number is a flag's whole number between two others.
type number struct {
	value    *int
	min, max int
}

func (n *number) String() string {
	if n.value == nil { // cobra asks an empty one for what no default looks like
		return "0"
	}
	return strconv.Itoa(*n.value)
}

func (n *number) Type() string { return "int" }

func (n *number) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < n.min || v > n.max {
		return fmt.Errorf("give a whole number from %d to %d", n.min, n.max)
	}
	*n.value = v
	return nil
}

// groupOnly makes a command that only holds others show its help, and refuse a
// name that it does not hold.
func groupOnly(c *cobra.Command) {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %q?", near[0])
		}
		return usageError{fmt.Errorf("there is no command %q%s\nSee `%s --help`", args[0], hint, c.CommandPath())}
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, "biomero-importer "+version)
			return err
		},
	}
}
