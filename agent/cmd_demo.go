package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
)

type demoOptions struct {
	once bool
	dir  string
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Try it out: a private database, sample images and orders of them",
		Long: `Try it out, on a database and a data folder of its own: sample images are written and
ordered in the four ways there are, a hands-free drop, a manifest, an order file of
the older service and an SQL insert. Where a podman service answers that has the
image ` + demoConverter + `, one more drop is converted by it; where not, that is
left out, and said. It then keeps running, so that you can drop files of your own.`,
		Example: `  biomero-importer demo
  biomero-importer demo --once`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context(), o) },
	}
	c.Flags().BoolVar(&o.once, "once", false, "end after the samples; status 0 only if all were imported")
	c.Flags().StringVar(&o.dir, "dir", "", "where the demo keeps everything (default: state_dir with \"-demo\" behind it)")
	return c
}

const demoSettings = `# The demo's settings; delete this folder to be rid of the demo.
base_dir: %[1]s/data
state_dir: %[1]s/state
log_file_path: %[1]s/logs/importer.log
web: {listen: %[2]q}
podman: {pull: never}
watch:
  - path: %[1]s/data/{group}/{user}/inbox/{dataset}
    order: {group: "{group}", user: "{user}", destination: {type: Dataset, name: "{dataset}"}}
    settle: 1s
  - path: %[1]s/data/{group}/{user}/orders
    settle: 1s
`

func (a *app) runDemo(ctx context.Context, o demoOptions) error {
	dir, err := a.demoDir(o)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	// Others may look at the samples and add to them.
	if err := os.MkdirAll(data, 0o755); err != nil { //nolint:gosec // no secret in it
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	// The environment is the real service's; the demo has a database of its own.
	c, err := a.demoConfig(dir, "", "")
	if err != nil {
		return err
	}
	leftOut, rules := tryConverting(ctx, c, dir), ""
	if leftOut == nil {
		rules = demoConversion
	}
	if c, err = a.demoConfig(dir, freeAddress(ctx), rules); err != nil {
		return err
	}
	logFile, err := logging.OpenFile(c.Log.File)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	_, _ = fmt.Fprintln(a.out, "Starting PostgreSQL and the importer ...")

	serving, stop := context.WithCancel(ctx)
	defer stop()
	started := make(chan running, 1)
	group, groupCtx := errgroup.WithContext(serving)
	group.Go(func() error {
		return serve(groupCtx, c, logging.JSON(logFile, c.Log.Level), a.abort, func(r running) { started <- r })
	})
	group.Go(func() error {
		select {
		case <-groupCtx.Done():
			return nil
		case r := <-started:
			defer stop()
			d := &demo{out: a.out, dir: dir, config: c, leftOut: leftOut, running: r}
			if err := d.show(groupCtx); err != nil || o.once {
				return err
			}
			_, _ = fmt.Fprintf(a.out, "\nDrop images into\n  %s/Demo/researcher/inbox/<dataset>/\n", data)
			if leftOut == nil {
				_, _ = fmt.Fprintf(a.out, "or, to have them converted, TIFF files into\n  %s/Demo/researcher/convert/<dataset>/\n", data)
			}
			_, _ = fmt.Fprintln(a.out, "and watch them on the page. Ctrl-C ends the demo.")
			<-groupCtx.Done()
			return nil
		}
	})
	err = group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		if o.once {
			return order.Errorf(order.Busy, "the demo was interrupted before its samples were imported")
		}
		return nil
	}
	return err
}

// demoConfig writes the demo's settings, with more rules behind the usual ones, and
// reads them.
func (a *app) demoConfig(dir, address, rules string) (*config.Config, error) {
	settings := filepath.Join(dir, "settings.yml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, demoSettings+rules, dir, address), 0o600); err != nil {
		return nil, fmt.Errorf("writing the demo's settings: %w", err)
	}
	return config.Load(settings, onlyHome(a.env))
}

func (a *app) demoDir(o demoOptions) (string, error) {
	dir := o.dir
	if dir == "" {
		defaults, err := config.Load("", onlyHome(a.env))
		if err != nil {
			return "", err
		}
		dir = defaults.StateDir + "-demo"
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the demo's folder: %w", err)
	}
	if strings.ContainsAny(abs, "{}\n\"'#:") {
		return "", order.Errorf(order.Invalid, "the demo cannot use the folder %q: choose one with --dir whose path has no special characters", abs)
	}
	return abs, nil
}

// onlyHome hides all of the environment but what says where a user's files go.
func onlyHome(env func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "HOME" || strings.HasPrefix(name, "XDG_") {
			return env(name)
		}
		return "", false
	}
}

// freeAddress is the usual address of the status page, or another port when
// that one is taken.
func freeAddress(ctx context.Context) string {
	const usual = "127.0.0.1:8080"
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return usual
}
