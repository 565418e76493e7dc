package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func (a *app) retryCommand() *cobra.Command {
	var all bool
	c := a.eachCommand("retry UUID...", "Ask for another attempt at orders that have ended",
		`Ask for another attempt at orders that have ended. Files that were imported before are
not imported again, unless with --all; the images that they became stay.`, "to be tried again",
		func(s *tracking.Store, ctx context.Context, uuid string) error { return s.Retry(ctx, uuid, all) })
	c.Flags().BoolVar(&all, "all", false, "import all files again, also those that were imported")
	return c
}

func (a *app) cancelCommand() *cobra.Command {
	return a.eachCommand("cancel UUID...", "End orders that have not ended",
		`End orders that have not ended. One that is being carried out ends as soon as what it does
can be stopped; images that it has made stay.`, "cancelled", (*tracking.Store).Cancel)
}

// answer is what became of one of several orders.
type answer struct {
	UUID   string `json:"uuid"`
	Done   bool   `json:"done"`
	Reason string `json:"reason"` // why not
}

// eachCommand does the same to each order that is named.
func (a *app) eachCommand(use, short, long, done string, do func(*tracking.Store, context.Context, string) error) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error {
				said := func(id string) error {
					_, err := fmt.Fprintf(a.out, "%s: %s\n", printable(id), done)
					return err
				}
				if asJSON {
					said = func(string) error { return nil }
				}
				answers, err := each(args, func(id string) error { return do(s, ctx, id) }, said)
				if asJSON {
					err = errors.Join(err, writeJSON(a.out, answers))
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// each does the same to several orders. One that refuses, or whose rows are locked, does not
// keep it from the others; any other fault ends it, and is the error's class then.
func each(ids []string, do, said func(id string) error) (answers []answer, err error) {
	answers = []answer{}
	for _, id := range ids {
		fault := do(id)
		if fault == nil {
			answers = append(answers, answer{UUID: id, Done: true})
			err = errors.Join(err, said(id))
			continue
		}
		answers = append(answers, answer{UUID: id, Reason: fault.Error()})
		err = errors.Join(err, fault)
		if class := order.ClassOf(fault); class != order.Invalid && class != order.Busy {
			return answers, &order.Error{Class: class, Reason: err.Error(), Err: fault}
		}
	}
	return answers, err
}

// pausing is what a command is asked to pause or to resume.
type pausing struct {
	group, user string
	list, json  bool
}

func (a *app) pauseCommand() *cobra.Command {
	c, o := a.pausingCommand("pause", "Keep waiting orders from being taken up: of all, of a group, of a user",
		`Keep waiting orders from being taken up, until they are resumed: those of everybody, of a
group, of a user in every group, or of a user in one group. Running orders go on.`, (*tracking.Store).Pause)
	c.Flags().BoolVar(&o.list, "list", false, "only list what is paused")
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	c, _ := a.pausingCommand("resume", "Let paused orders be taken up again",
		`Let paused orders be taken up again. Name the group and user as they were paused.`, (*tracking.Store).Resume)
	return c
}

func (a *app) pausingCommand(use, short, long string, do func(s *tracking.Store, ctx context.Context, group, user string) error) (*cobra.Command, *pausing) {
	o := &pausing{}
	c := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error {
				if !o.list {
					if err := do(s, ctx, o.group, o.user); err != nil || !o.json {
						return err
					}
				}
				return a.listPauses(ctx, s, o.json)
			})
		},
	}
	c.Flags().StringVar(&o.group, "group", "", "only of this group")
	c.Flags().StringVar(&o.user, "user", "", "only of this user")
	c.Flags().BoolVar(&o.json, "json", false, "print as JSON what is paused then")
	return c, o
}

func (a *app) listPauses(ctx context.Context, s *tracking.Store, asJSON bool) error {
	pauses, err := s.Pauses(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.out, pauses)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SINCE\tGROUP\tUSER")
	for _, p := range pauses {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", clock(&p.Since), printable(cmp.Or(p.Group, "all")), printable(cmp.Or(p.User, "all")))
	}
	return table.Flush()
}
