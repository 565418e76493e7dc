package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/agent/submit"
	"biomero-importer/agent/terminal"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

func (a *app) orderCommand() *cobra.Command {
	c := &cobra.Command{Use: "order", Short: "Place, list, show, follow, retry and cancel orders; pause and resume them"}
	groupOnly(c)
	c.AddCommand(a.submitCommand(), a.listCommand(), a.showCommand(), a.watchCommand(), a.retryCommand(), a.cancelCommand(), a.pauseCommand(), a.resumeCommand())
	return c
}

// withStore opens the tracking database for one command.
func (a *app) withStore(ctx context.Context, do func(ctx context.Context, s *tracking.Store) error) error {
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return err
	}
	return a.inStore(ctx, settings, do)
}

// inStore opens the tracking database of these settings.
func (a *app) inStore(ctx context.Context, settings *config.Config, do func(ctx context.Context, s *tracking.Store) error) error {
	return withDatabase(ctx, settings, a.quietLog(settings), func(ctx context.Context, url string) error {
		store, err := tracking.Open(ctx, url, 2)
		if err != nil {
			return err
		}
		defer store.Close()
		if err := store.Verify(ctx); err != nil {
			return err
		}
		return do(ctx, store)
	})
}

type submitOptions struct {
	manifest, group, user, destination, description string
	priority                                        int
}

func (a *app) submitCommand() *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit (--manifest FILE | --group G --user U --to TYPE:ID PATH...)",
		Short: "Place an order",
		Example: `  biomero-importer order submit --group Demo --user ada --to Dataset:151 /data/Demo/ada/scan7.tif
  biomero-importer order submit --manifest ~/scan7.order.yml`,
		// Here, and not where cobra does it, its error is one of usage.
		Args: arguments(func(c *cobra.Command, _ []string) error { return c.ValidateFlagGroups() }),
		RunE: func(c *cobra.Command, paths []string) error { return a.runSubmit(c.Context(), o, paths) },
	}
	flags := c.Flags()
	flags.StringVarP(&o.manifest, "manifest", "m", "", "take the order from this manifest")
	flags.StringVar(&o.group, "group", "", "OMERO group")
	flags.StringVar(&o.user, "user", "", "OMERO user")
	flags.StringVar(&o.destination, "to", "", "Dataset:ID or Screen:ID")
	flags.StringVar(&o.description, "description", "", "free text kept with the order")
	flags.Var(&number{&o.priority, order.MinPriority, order.MaxPriority}, "priority", "how urgent it is, -100 to 100: higher goes first")
	c.MarkFlagsMutuallyExclusive("manifest", "group")
	c.MarkFlagsMutuallyExclusive("manifest", "user")
	c.MarkFlagsMutuallyExclusive("manifest", "to")
	c.MarkFlagsMutuallyExclusive("manifest", "priority")
	c.MarkFlagsRequiredTogether("group", "user", "to")
	c.MarkFlagsOneRequired("manifest", "to")
	return c
}

func (a *app) runSubmit(ctx context.Context, o submitOptions, paths []string) error {
	m, placed, err := o.read(paths)
	if err != nil {
		return err
	}
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return err
	}
	share, err := importer.OpenShare(settings.BaseDir)
	if err != nil {
		return &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	defer func() { _ = share.Close() }()
	return a.inStore(ctx, settings, func(ctx context.Context, s *tracking.Store) error {
		placer := &submit.Placer{Share: share, Store: s, Container: func(ctx context.Context, c importer.Container) (int64, error) {
			return a.container(ctx, settings, share, s, c)
		}}
		if m != nil {
			dir, err := filepath.Abs(filepath.Dir(o.manifest))
			if err != nil {
				return fmt.Errorf("finding the manifest's folder: %w", err)
			}
			if placed, err = placer.Find(ctx, m, dir); err != nil {
				return err
			}
		}
		err := placer.Place(ctx, &placed)
		if errors.Is(err, tracking.ErrUUIDTaken) {
			return order.Errorf(order.Invalid, "the uuid %s belongs to another order: leave it out, or make a new one", placed.UUID)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.out, placed.UUID)
		return err
	})
}

// container finds a container by name, or makes it.
func (a *app) container(ctx context.Context, settings *config.Config, share *importer.Share, s *tracking.Store, c importer.Container) (id int64, err error) {
	dir, err := os.MkdirTemp("", "biomero-importer-")
	if err != nil {
		return 0, fmt.Errorf("making a folder for a session: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := openBackend(ctx, settings, dir, share, s, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	id, err = b.Container(ctx, c)
	return id, outcome(err)
}

// read reads the manifest, or the order from the flags.
func (o submitOptions) read(paths []string) (*order.Manifest, order.Order, error) {
	if o.manifest == "" {
		placed, err := o.order(paths)
		return nil, placed, err
	}
	if len(paths) > 0 {
		return nil, order.Order{}, usageError{errors.New("a manifest names its files itself: leave the paths out")}
	}
	data, err := readManifest(o.manifest)
	if err != nil {
		return nil, order.Order{}, err
	}
	m, err := order.DecodeManifest(filepath.Base(o.manifest), data)
	return m, order.Order{}, err
}

// order is that of the flags.
func (o submitOptions) order(paths []string) (order.Order, error) {
	typ, id, ok := strings.Cut(o.destination, ":")
	if !ok || len(paths) == 0 {
		return order.Order{}, usageError{errors.New("give --to as Dataset:ID or Screen:ID, and at least one path")}
	}
	destination, err := order.ParseDestination(typ, id)
	if err != nil {
		return order.Order{}, err
	}
	for _, n := range [][2]string{{"group", o.group}, {"user", o.user}} {
		if err := order.CheckName(n[0], n[1]); err != nil {
			return order.Order{}, err
		}
	}
	files := make([]string, len(paths))
	for i, path := range paths {
		if files[i], err = filepath.Abs(path); err != nil {
			return order.Order{}, fmt.Errorf("finding %s: %w", path, err)
		}
	}
	return order.Order{
		Group: o.group, User: o.user, Destination: destination, Files: files, Description: o.description, Priority: o.priority,
	}, nil
}

func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

func clock(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// names makes the list of file names readable; clients may have put anything there.
func names(text string) string {
	var list []string
	if json.Unmarshal([]byte(text), &list) != nil {
		return text
	}
	return strings.Join(list, ", ")
}

// printable keeps what strangers wrote from steering the terminal.
func printable(text string) string { return terminal.Printable(text) }

// printableLines is that of a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}
