package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	sizes "github.com/docker/go-units"
	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/doctor"
	"biomero-importer/agent/explain"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
)

func (a *app) explainCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain PATH",
		Short: "Say what becomes of a file, a folder or a manifest, rule by rule, without doing it",
		Long: `Say what becomes of a file, a folder or a manifest where it lies, rule by rule, without
doing it: which watch rule takes it or why none does, what ignores it, how long it has
to be left alone, which drop it is part of, what order it becomes, whether it may be
imported, and what the database has of it.

It goes by what shows now: how long a file has been left alone is judged by its times.
Run it as the service's user, whose rights count. Where the database does not answer, it
says what the rules say. agent/README.md documents the JSON.

` + exitCodes,
		Example: `  biomero-importer explain /data/Demo/ada/inbox/Retina/scan7.tif
  biomero-importer explain --json scan7.order.yml | jq -r '.state, .reason'`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("finding %s: %w", args[0], err)
			}
			x, err := a.explain(c.Context(), path)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.out, x)
			}
			return writeExplanation(a.out, x)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// explain asks the database where it answers.
func (a *app) explain(ctx context.Context, path string) (x *explain.Explanation, err error) {
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return nil, err
	}
	asked := false
	err = a.explaining(ctx, settings, func(ctx context.Context, e *explain.Explainer) (err error) {
		asked = true
		x, err = e.Path(ctx, path)
		return err
	})
	if err == nil || asked {
		return x, err
	}
	unasked := err
	if err = a.unasked(settings, func(e *explain.Explainer) error { x, err = e.Path(ctx, path); return err }); err != nil {
		return nil, err
	}
	x.Database = logging.Mask(unasked.Error())
	return x, nil
}

// explaining calls do with what explains by these settings and the database. An
// embedded one that was never made has nothing to say.
func (a *app) explaining(ctx context.Context, settings *config.Config, do func(ctx context.Context, e *explain.Explainer) error) error {
	if settings.Database.Embedded && doctor.Missing(filepath.Join(settings.StateDir, "postgres")) {
		return a.unasked(settings, func(e *explain.Explainer) error { return do(ctx, e) })
	}
	return a.inStore(ctx, settings, func(ctx context.Context, s *tracking.Store) error {
		return a.explainer(settings, s, func(e *explain.Explainer) error { return do(ctx, e) })
	})
}

// unasked is explaining without a database.
func (a *app) unasked(settings *config.Config, do func(e *explain.Explainer) error) error {
	return a.explainer(settings, nil, do)
}

func (a *app) explainer(settings *config.Config, s *tracking.Store, do func(e *explain.Explainer) error) error {
	share, err := importer.OpenShare(settings.BaseDir)
	if err != nil {
		return &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	defer func() { _ = share.Close() }()
	e := &explain.Explainer{Share: share, Own: ownWork(settings)}
	if e.Intake, e.Watch, err = (&service{config: settings, log: a.quietLog(settings), share: share, store: s}).watcher(); err != nil {
		return err
	}
	if e.Images, err = preprocess.NewAllowlist(settings.Podman.Allowed); err != nil {
		return &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return do(e)
}

// ownWork tells what the service itself writes into watched folders.
func ownWork(c *config.Config) func(path string) bool {
	return func(path string) bool {
		base := filepath.Base(path)
		return strings.HasSuffix(base, order.ReceiptSuffix) || strings.HasSuffix(base, order.RejectionSuffix) || base == c.ProcessedFolder
	}
}

func writeExplanation(w io.Writer, x *explain.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", printable(x.Path), printable(stateLine(x.State, x.Reason)))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	say := func(what, text string) {
		if text != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", what, printable(text))
		}
	}
	if x.Kind != "" {
		kind := x.Kind
		if x.Size > 0 {
			kind += ", " + sizes.BytesSize(float64(x.Size))
		}
		if x.Changed != nil {
			kind += ", last changed " + clock(x.Changed)
		}
		say("kind", kind)
	}
	for _, r := range x.Rules {
		verdict := "it matches"
		if !r.Matches {
			verdict = "no: " + r.Reason
		}
		say(fmt.Sprintf("rule %d", r.Number), r.Path+"  "+verdict)
	}
	say("unit", x.Unit)
	if x.Filesystem != "" {
		noticed := "changes show in scans"
		if x.Events {
			noticed = "the kernel tells of changes"
		}
		say("filesystem", x.Filesystem+", "+noticed)
	}
	if o := x.Order; o != nil {
		say("order", orderLine(o))
		say("description", o.Description)
		say("converter", o.Converter)
	}
	if i := x.Import; i != nil {
		say("import", map[bool]string{true: "the file may be imported", false: "refused: " + i.Reason}[i.OK])
	}
	if r := x.Record; r != nil {
		say("database", strings.TrimRight(fmt.Sprintf("%s since %s. %s", r.State, clock(&r.FirstSeen), r.Reason), " "))
		say("order", r.Order)
		say("held for", r.Holder)
	} else if x.Database != "" {
		say("database", "not asked: "+x.Database)
	}
	say("duplicate of", x.DuplicateOf)
	for _, n := range x.Files {
		say("names", fmt.Sprintf("%s  %s", n.Pattern, map[bool]string{true: fmt.Sprintf("%d there", n.Count), false: n.Fault}[n.Fault == ""]))
		for _, item := range n.Paths {
			_, _ = fmt.Fprintf(table, "\t%s  %s\n", printable(item.Path), printable(stateLine(item.State, item.Reason)))
		}
	}
	_ = table.Flush()
	_, err := io.WriteString(w, b.String())
	return err
}

// stateLine says a state once, which many reasons begin with.
func stateLine(state explain.State, reason string) string {
	switch {
	case reason == "":
		return string(state)
	case strings.HasPrefix(reason, string(state)):
		return reason
	default:
		return string(state) + ": " + reason
	}
}

// orderLine says for whom an order is, and where to.
func orderLine(o *explain.Order) string {
	to := fmt.Sprintf("%s %q", o.Type, o.Name)
	if o.ID > 0 {
		to = fmt.Sprintf("%s %d", o.Type, o.ID)
	}
	if o.Project != "" {
		to += fmt.Sprintf(" in the project %q", o.Project)
	}
	return fmt.Sprintf("into the %s, for %s of %s, priority %d", to, o.User, o.Group, o.Priority)
}
