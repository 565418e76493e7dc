package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/doctor"
	"biomero-importer/agent/notify"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer/omero"
)

func (a *app) notifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "notify", Short: "List and try what users and webhooks are told of orders"}
	groupOnly(c)
	c.AddCommand(a.notifyListCommand(), a.notifyTestCommand())
	return c
}

type notifyListOptions struct {
	undelivered, json bool
	limit             int
}

func (a *app) notifyListCommand() *cobra.Command {
	o := notifyListOptions{limit: 20}
	c := &cobra.Command{
		Use: "list", Short: "List what was told of orders, and what is due",
		Long: `List what was told of orders, and what is due, with the error of the last try: those that
ended last come first. A webhook is named by its host and a part of its address's hash.`,
		Example: `  biomero-importer notify list --undelivered
  biomero-importer notify list --json | jq '.[] | select(.state == "given_up")'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error { return a.runNotifyList(ctx, s, o) })
		},
	}
	c.Flags().BoolVar(&o.undelivered, "undelivered", false, "only what is due or was given up")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().VarP(&number{&o.limit, 1, math.MaxInt32}, "limit", "n", "how many")
	return c
}

func (a *app) runNotifyList(ctx context.Context, s *tracking.Store, o notifyListOptions) error {
	list, err := s.Deliveries(ctx, o.undelivered, o.limit)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(a.out, list)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ENDED\tSTATE\tTRIES\tNEXT TRY\tTARGET\tUSER\tORDER\tERROR")
	for i := range list {
		d := &list[i]
		next := "-"
		if d.Due != nil {
			next = clock(d.Due)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", clock(&d.Ended), d.State, d.Tries, next, printable(d.Target), printable(d.User), printable(d.UUID), printable(d.Error))
	}
	return table.Flush()
}

func (a *app) notifyTestCommand() *cobra.Command {
	var user string
	var asJSON bool
	c := &cobra.Command{
		Use: "test", Short: "Send a sample to everybody whom the settings name, and say what came of it",
		Long: `Send a sample to each webhook, and by mail to a user, or to the sender's own address. It
says that it is a trial.

` + exitCodes,
		Example: `  biomero-importer notify test --user ada`,
		Args:    arguments(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runNotifyTest(c.Context(), user, asJSON) },
	}
	c.Flags().StringVar(&user, "user", "", "send the mail to this user")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) runNotifyTest(ctx context.Context, user string, asJSON bool) error {
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return err
	}
	var trials []notify.Trial
	if err := withNotifier(ctx, settings, func(n *notify.Notifier) { trials = n.Try(ctx, user) }); err != nil {
		return err
	}
	if len(trials) == 0 {
		return order.Errorf(order.Invalid, "the settings name nobody to be told: see notify in configs/settings.yml")
	}
	if asJSON {
		err = writeJSON(a.out, trials)
	} else {
		err = a.printTrials(trials)
	}
	for _, t := range trials {
		if err == nil && !t.OK {
			err = &order.Error{Class: order.Busy, Reason: t.Fault, Err: errReported}
		}
	}
	return err
}

func (a *app) printTrials(trials []notify.Trial) error {
	for _, t := range trials {
		mark := "ok   "
		if !t.OK {
			mark = "wrong"
		}
		to := ""
		if t.To != "" {
			to = " to " + t.To
		}
		if _, err := fmt.Fprintf(a.out, "%s  %s: %s\n", mark, printable(t.Target+to), printable(cmp.Or(t.Fault, "delivered"))); err != nil {
			return err
		}
	}
	return nil
}

// withNotifier has a command tell of what no order has to do with. OMERO is asked for addresses
// where the settings do not give them.
func withNotifier(ctx context.Context, c *config.Config, do func(*notify.Notifier)) error {
	log := slog.New(slog.DiscardHandler)
	with := func(images backend) error {
		n, err := notifier(c, nil, images, nil, log)
		if err == nil {
			do(n)
		}
		return err
	}
	if c.Backend != config.OMERO || c.Notify.SMTP.Host == "" {
		return with(nil)
	}
	return withOMERO(ctx, c, log, func(b *omero.Backend) error { return with(b) })
}

// notified connects to the mail server, if the settings name one.
func (c *checkup) notified(ctx context.Context, settings *config.Config) {
	n, err := notifier(settings, nil, nil, nil, slog.New(slog.DiscardHandler))
	if err == nil {
		err = n.Ping(ctx)
	}
	if !errors.Is(err, notify.ErrNoMail) {
		s := &settings.Notify.SMTP
		c.put(doctor.Of("notify.smtp", fmt.Sprintf("%s answers at port %d", s.Host, s.Port), err, "Check the block notify.smtp, and that the mail server lets this machine in."))
	}
}
