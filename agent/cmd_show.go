package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// detail is all that is shown of an order.
type detail struct {
	*tracking.Status

	Timeline []step   `json:"timeline"` // oldest first, the last hundred
	Manifest string   `json:"manifest"` // that it was made of; empty for none
	Receipt  *receipt `json:"receipt"`  // beside that; null for none
	LogFile  string   `json:"log_file"`
	Log      []string `json:"log"` // its last lines, where it can be read here
}

// step is a stage that an order reached.
type step struct {
	Stage       order.Stage `json:"stage"`
	At          *time.Time  `json:"at"`
	Attempt     int         `json:"attempt"`
	Description string      `json:"description"`
}

type receipt struct {
	Path    string     `json:"path"`
	Written *time.Time `json:"written"` // last; null where it is not there
}

// logLines is how many lines of an order's log are shown.
const logLines = 20

func (a *app) showCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show UUID",
		Short: "Show one order: its stages, its files and what became of them, the end of its log, its receipt",
		Long: `Show one order: its stages and attempts, its files with the ids that they have in OMERO, the
end of its log where that can be read here, and the receipt beside its manifest.

agent/README.md documents the JSON.

` + exitCodes,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			settings, err := config.Load(a.settings, a.env)
			if err != nil {
				return err
			}
			return a.inStore(c.Context(), settings, func(ctx context.Context, s *tracking.Store) error {
				d, err := a.detail(ctx, settings, s, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(a.out, d)
				}
				return writeOrder(a.out, d)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) detail(ctx context.Context, settings *config.Config, s *tracking.Store, uuid string) (*detail, error) {
	st, err := s.Show(ctx, uuid)
	if err != nil {
		return nil, err
	}
	d := &detail{Status: st, Timeline: []step{}, LogFile: filepath.Join(settings.OrderLogs(), logging.FileName(uuid)), Log: []string{}}
	steps, err := s.Timeline(ctx, uuid)
	if err != nil {
		return nil, err
	}
	d.Timeline = timeline(steps, st.Attempt)
	if d.Manifest, err = s.Origin(ctx, uuid); err != nil {
		return nil, err
	}
	d.Receipt = receiptBeside(d.Manifest)
	lines, err := logging.Tail(settings.OrderLogs(), uuid, logLines)
	if err != nil {
		lines = []string{logging.Mask(err.Error())}
	}
	d.Log = append(d.Log, lines...)
	return d, nil
}

// timeline numbers the attempts of stages, which come newest first, from the last one
// that was taken up.
func timeline(steps []tracking.Step, attempt int) []step {
	list := []step{}
	if len(steps) > 0 && steps[0].Stage == order.Pending {
		attempt++ // not taken up yet
	}
	for _, s := range steps {
		list = append(list, step{Stage: s.Stage, At: s.At, Attempt: max(attempt, 1), Description: s.Description})
		if s.Stage == order.Pending {
			attempt--
		}
	}
	slices.Reverse(list)
	return list
}

// receiptBeside is the receipt that a manifest has or gets. Order files of the older
// service have none.
func receiptBeside(manifest string) *receipt {
	if manifest == "" || !order.IsManifest(filepath.Base(manifest)) {
		return nil
	}
	r := &receipt{Path: filepath.Join(filepath.Dir(manifest), order.ReceiptName(filepath.Base(manifest)))}
	if info, err := os.Lstat(r.Path); err == nil {
		at := info.ModTime()
		r.Written = &at
	}
	return r
}

func writeOrder(w io.Writer, d *detail) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	s := d.Status
	for _, line := range [][2]string{
		{"order", s.UUID},
		{"stage", string(s.Stage)},
		{"reason", s.Description},
		{"waits", s.Waits},
		{"user", s.User + " (" + s.Group + ")"},
		{"destination", s.DestinationType + " " + s.DestinationID},
		{"priority", strconv.Itoa(s.Priority)},
		{"attempt", strconv.Itoa(s.Attempt)},
		{"queued", clock(s.Queued)},
		{"started", clock(s.Started)},
		{"ended", clock(s.Ended)},
		{"manifest", d.Manifest},
		{"receipt", receiptLine(d.Receipt)},
	} {
		if line[1] != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", line[0], printable(line[1]))
		}
	}
	for _, s := range d.Timeline {
		_, _ = fmt.Fprintf(table, "%s\t%s, attempt %d\n", clock(s.At), printable(string(s.Stage)), s.Attempt)
	}
	for _, c := range s.Conversions {
		_, _ = fmt.Fprintf(table, "converted\tfile %d by %s (%s)\n", c.Ordinal, printable(c.Image), printable(c.Digest))
	}
	for _, f := range s.Files {
		_, _ = fmt.Fprintf(table, "%s\t%s  %s\n", f.State, printable(f.Path), printable(f.Reason+made(&f)))
	}
	for _, line := range s.Output {
		_, _ = fmt.Fprintf(table, "output\t%s\n", printable(line))
	}
	for _, line := range d.Log {
		_, _ = fmt.Fprintf(table, "log\t%s\n", printable(line))
	}
	return table.Flush()
}

func receiptLine(r *receipt) string {
	switch {
	case r == nil:
		return ""
	case r.Written == nil:
		return r.Path + ", not written"
	default:
		return r.Path + ", written " + clock(r.Written)
	}
}

// made says what a file became.
func made(f *tracking.File) string {
	var parts []string
	for _, ids := range []struct {
		what string
		list []int64
	}{{"fileset", f.Filesets}, {"image", f.Images}, {"plate", f.Plates}} {
		if len(ids.list) == 0 {
			continue
		}
		const few = 5
		words := []string{ids.what}
		for _, id := range ids.list[:min(len(ids.list), few)] {
			words = append(words, strconv.FormatInt(id, 10))
		}
		if more := len(ids.list) - few; more > 0 {
			words = append(words, fmt.Sprintf("and %d more", more))
		}
		parts = append(parts, strings.Join(words, " "))
	}
	return strings.Join(parts, ", ")
}
