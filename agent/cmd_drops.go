package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/explain"
)

func (a *app) dropsCommand() *cobra.Command {
	c := &cobra.Command{Use: "drops", Short: "List what lies in watched folders and is not taken"}
	groupOnly(c)
	c.AddCommand(a.dropsListCommand())
	return c
}

func (a *app) dropsListCommand() *cobra.Command {
	var asJSON bool
	w := explain.Wanted{Limit: 50}
	c := &cobra.Command{
		Use:   "list",
		Short: "List what lies in watched folders and is not taken, and why",
		Long: `List what lies in watched folders and is not taken, and why: it is settling, ignored,
held for a manifest, waits for files, is refused, or no rule is for it. What the service
itself wrote, such as receipts, is left out. The newest come first; up to a million files
and folders are looked at.

agent/README.md documents the states and the JSON. The command explain says more of one.

` + exitCodes,
		Example: `  biomero-importer drops list
  biomero-importer drops list --json | jq -r '.drops[] | select(.state == "refused") | .path'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Load(a.settings, a.env)
			if err != nil {
				return err
			}
			return a.explaining(c.Context(), settings, func(ctx context.Context, e *explain.Explainer) error {
				list, err := e.List(ctx, w)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(a.out, list)
				}
				return writeDrops(a.out, list)
			})
		},
	}
	c.Flags().VarP(&number{&w.Limit, 1, math.MaxInt32}, "limit", "n", "how many at most")
	c.Flags().BoolVar(&w.ByFolder, "by-folder", false, "those that come first by their folders, in place of the newest")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeDrops(w io.Writer, list *explain.Drops) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CHANGED\tSTATE\tPATH\tREASON")
	for _, d := range list.Drops {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", clock(d.Changed), d.State, printable(d.Path), printable(d.Reason))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	more := ""
	switch {
	case list.More:
		more = "There are more: see --limit."
	case !list.Complete:
		more = fmt.Sprintf("Only the first %d files and folders were looked at.", list.Looked-1)
	}
	if more == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, more)
	return err
}
