package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/sample"
	"biomero-importer/importer"
	"biomero-importer/importer/omero"
)

type selfTestOptions struct {
	user, group, dir, dataset string
}

// selfTestDataset is where the image goes unless somebody names another dataset.
const selfTestDataset = "Self-test of biomero-importer"

func (a *app) selfTestCommand() *cobra.Command {
	var o selfTestOptions
	c := &cobra.Command{
		Use:   "selftest --user NAME --group NAME",
		Short: "Import an image into OMERO, check what came of it, and remove it",
		Long: `Import a small image into OMERO as an order of a user does, check that it is named,
annotated, linked in place and found again, and remove it. The image is written into a
folder of the share that OMERO's server sees, and removed too. A dataset that is made for
it stays.

` + exitCodes,
		Example: `  biomero-importer selftest --user ada --group Demo`,
		Args:    arguments(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runSelfTest(c.Context(), o) },
	}
	c.Flags().StringVar(&o.user, "user", "", "the user whose import it is")
	c.Flags().StringVar(&o.group, "group", "", "a group of the user")
	c.Flags().StringVar(&o.dataset, "dataset", selfTestDataset, "a dataset of the user, by name")
	c.Flags().StringVar(&o.dir, "dir", "", "a folder for the image, below base_dir (default base_dir)")
	for _, name := range []string{"user", "group"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

func (a *app) runSelfTest(ctx context.Context, o selfTestOptions) error {
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return err
	}
	if settings.Backend != config.OMERO {
		return order.Errorf(order.Invalid, "the backend is %s: there is no OMERO to test", settings.Backend)
	}
	return withOMERO(ctx, settings, logging.Terminal(a.err, slog.LevelInfo), func(b *omero.Backend) (err error) {
		image, err := selfTestImage(settings.BaseDir, o.dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(image)) }()
		return a.selfTest(ctx, b, o, image)
	})
}

func (a *app) selfTest(ctx context.Context, b *omero.Backend, o selfTestOptions, image string) error {
	say := func(step string) { _, _ = fmt.Fprintln(a.out, "ok    "+printable(step)) }
	if err := b.Ping(ctx); err != nil {
		return err
	}
	say("OMERO answers, and takes the importer's account")
	id, err := b.Container(ctx, importer.Container{Type: importer.Dataset, Group: o.group, User: o.user, Name: o.dataset})
	if err != nil {
		return err
	}
	return b.SelfTest(ctx, importer.Order{UUID: uuid.NewString(), Group: o.group, User: o.user, Type: importer.Dataset, Container: id}, image, say)
}

// selfTestImage writes the image. OMERO passes over names that begin with a dot.
func selfTestImage(base, dir string) (string, error) {
	if dir == "" {
		dir = base
	}
	f, err := os.CreateTemp(dir, "biomero-importer-selftest-*.tif")
	if err != nil {
		return "", fmt.Errorf("writing an image for the test: %w", err)
	}
	path, err := filepath.Abs(f.Name())
	err = errors.Join(err, f.Close(), sample.WriteTIFF(path, sample.Stack{Name: "selftest", Width: 64, Height: 64, Planes: 1, Channels: 1}))
	if err == nil {
		err = os.Chmod(path, 0o644) //nolint:gosec // OMERO's server reads it
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("writing an image for the test: %w", err), os.Remove(path))
	}
	return path, nil
}
