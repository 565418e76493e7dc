package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"biomero-importer/agent/order"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate MANIFEST...",
		Short: "Check order manifests without placing them",
		Long: `Check order manifests, and order files of the older service, without a database and
without placing them. Whether the files that they name are there is not checked.`,
		Example: `  biomero-importer validate /data/Demo/ada/scan7.order.yml`,
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, names []string) error {
			bad := 0
			for _, name := range names {
				if err := validateFile(name); err != nil {
					bad++
					_, _ = fmt.Fprintln(a.err, err)
					continue
				}
				_, _ = fmt.Fprintf(a.out, "%s: valid\n", name)
			}
			if bad > 0 {
				return &order.Error{Class: order.Invalid, Reason: "some manifests are not valid", Err: errReported}
			}
			return nil
		},
	}
}

func validateFile(name string) error {
	data, err := readManifest(name)
	if err != nil {
		return err
	}
	base := filepath.Base(name)
	if order.IsLegacy(base) {
		_, err = order.DecodeLegacy(base, data)
		return err
	}
	_, err = order.DecodeManifest(base, data)
	return err
}

// readManifest reads no more than a manifest may hold, and one byte to tell.
func readManifest(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // named by the user
	if err != nil {
		return nil, order.Errorf(order.Invalid, "the manifest cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, order.MaxManifestBytes+1))
	if err != nil {
		return nil, order.Errorf(order.Invalid, "the manifest cannot be read: %w", err)
	}
	return data, nil
}
