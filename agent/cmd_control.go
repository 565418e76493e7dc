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

// eachCommand does the same to each order that is named. One that refuses it does not keep it
// from the others.
func (a *app) eachCommand(use, short, long, done string, do func(*tracking.Store, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error {
				var refused []error
				for _, id := range args {
					err := do(s, ctx, id)
					if order.ClassOf(err) == order.Invalid {
						refused = append(refused, err)
						continue
					}
					if err == nil {
						_, err = fmt.Fprintf(a.out, "%s: %s\n", printable(id), done)
					}
					if err != nil {
						return errors.Join(append(refused, err)...)
					}
				}
				return errors.Join(refused...)
			})
		},
	}
}

func (a *app) pauseCommand() *cobra.Command {
	var list bool
	c := a.pausing("pause", "Keep waiting orders from being taken up: of all, of a group, of a user",
		`Keep waiting orders from being taken up, until they are resumed: those of everybody, of a
group, of a user in every group, or of a user in one group. Running orders go on.`,
		func(ctx context.Context, s *tracking.Store, group, user string) error {
			if list {
				return a.listPauses(ctx, s)
			}
			return s.Pause(ctx, group, user)
		})
	c.Flags().BoolVar(&list, "list", false, "only list what is paused")
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	return a.pausing("resume", "Let paused orders be taken up again",
		`Let paused orders be taken up again. Name the group and user as they were paused.`,
		func(ctx context.Context, s *tracking.Store, group, user string) error {
			return s.Resume(ctx, group, user)
		})
}

func (a *app) pausing(use, short, long string, do func(ctx context.Context, s *tracking.Store, group, user string) error) *cobra.Command {
	var group, user string
	c := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error { return do(ctx, s, group, user) })
		},
	}
	c.Flags().StringVar(&group, "group", "", "only of this group")
	c.Flags().StringVar(&user, "user", "", "only of this user")
	return c
}

func (a *app) listPauses(ctx context.Context, s *tracking.Store) error {
	pauses, err := s.Pauses(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SINCE\tGROUP\tUSER")
	for _, p := range pauses {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", clock(&p.Since), printable(cmp.Or(p.Group, "all")), printable(cmp.Or(p.User, "all")))
	}
	return table.Flush()
}
