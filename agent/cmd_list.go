package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

type listOptions struct {
	stages                          []string
	user, group, since, text, after string
	limit                           int
	json                            bool
}

func (a *app) listCommand() *cobra.Command {
	o := listOptions{limit: 50}
	c := &cobra.Command{
		Use:   "list",
		Short: "List orders, the newest first",
		Long: `List orders, the newest first: by when they ended, or else were asked for. Where there
are more, it says on standard error with which --after the list goes on.

agent/README.md documents the JSON.

` + exitCodes,
		Example: `  biomero-importer order list --stage failed --since 7d
  biomero-importer order list --user ada --text scan7
  biomero-importer order list --json | jq '.[] | select(.stage == "Import Failed")'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.runList(c.Context(), &o) },
	}
	flags := c.Flags()
	flags.StringSliceVar(&o.stages, "stage", nil, "only in these stages: pending, started, preprocessing, completed, failed")
	flags.StringVar(&o.user, "user", "", "only of this user")
	flags.StringVar(&o.group, "group", "", "only of this group")
	flags.StringVar(&o.since, "since", "", "only those that changed since: 24h, 7d, or a date such as 2026-01-31 or \"2026-01-31 14:00\"")
	flags.StringVar(&o.text, "text", "", "only those with this in their files' names, their description, or at the start of their UUID")
	flags.VarP(&number{&o.limit, 1, math.MaxInt32}, "limit", "n", "how many at most")
	flags.StringVar(&o.after, "after", "", "go on where the list before ended")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// mostPages bounds how many pages are looked through for what may be on none.
const mostPages = 20

func (a *app) runList(ctx context.Context, o *listOptions) error {
	f, err := o.filter(time.Now())
	if err != nil {
		return usageError{err}
	}
	return a.withStore(ctx, func(ctx context.Context, s *tracking.Store) error {
		list := []tracking.Status{}
		for pages := 0; len(list) < o.limit; {
			f.Limit = min(o.limit-len(list), tracking.MaxPage)
			page, err := s.List(ctx, f)
			if err != nil {
				return err
			}
			list = append(list, page.Orders...)
			if f.After = page.Next; f.After == "" {
				break
			}
			if len(page.Orders) == 0 {
				pages++
			}
			if pages == mostPages {
				break
			}
		}
		if err := o.write(a.out, list); err != nil {
			return err
		}
		if f.After != "" {
			a.tell("There may be more: --after " + f.After)
		}
		return nil
	})
}

func (o *listOptions) write(w io.Writer, list []tracking.Status) error {
	if o.json {
		return writeJSON(w, list)
	}
	return writeOrders(w, list)
}

// filter says which orders are meant.
func (o *listOptions) filter(now time.Time) (f tracking.Filter, err error) {
	f = tracking.Filter{User: o.user, Group: o.group, Text: o.text, After: o.after}
	for _, name := range o.stages {
		stage, ok := stageNamed(name)
		if !ok {
			return f, fmt.Errorf("there is no stage %q: give pending, started, preprocessing, completed or failed", name)
		}
		f.Stages = append(f.Stages, stage)
	}
	f.Since, err = parseSince(o.since, now)
	return f, err
}

// stageNamed also takes a stage as the imports table spells it.
func stageNamed(name string) (order.Stage, bool) {
	for _, stage := range []order.Stage{order.Pending, order.Started, order.Preprocessing, order.Completed, order.Failed} {
		if strings.EqualFold(name, string(stage)) || strings.EqualFold("Import "+name, string(stage)) {
			return stage, true
		}
	}
	return "", false
}

// parseSince reads a time that has passed: an age, or a date in the local zone.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	age := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		age = days + "h"
	}
	if d, err := time.ParseDuration(age); err == nil && d >= 0 {
		if age != text {
			d *= 24
		}
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: give an age such as 24h or 7d, or a date such as 2026-01-31", text)
}

func writeOrders(w io.Writer, list []tracking.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CHANGED\tSTAGE\tUSER\tDESTINATION\tFILES\tORDER")
	for i := range list {
		s := &list[i]
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s %s\t%s\t%s\n", clock(s.Changed), printable(string(s.Stage)), printable(s.User),
			printable(s.DestinationType), printable(s.DestinationID), printable(names(s.FileNames)), printable(s.UUID))
	}
	return table.Flush()
}
