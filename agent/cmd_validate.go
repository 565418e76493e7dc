package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate MANIFEST...",
		Short: "Check order manifests without placing them",
		Long: `Check order manifests, and order files of the older service, without a database and
without placing them. With --config, what the watch rule of a manifest's folder says
counts too: for whom it may act there, and how urgent it may be. Whether the files
that they name are there is not checked.`,
		Example: `  biomero-importer validate --config /etc/biomero-importer/settings.yml /data/Demo/ada/scan7.order.yml`,
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE:    func(_ *cobra.Command, names []string) error { return a.runValidate(names) },
	}
}

func (a *app) runValidate(names []string) error {
	v, err := a.validator()
	if err != nil {
		return err
	}
	defer v.close()
	bad := 0
	for _, name := range names {
		verdict, err := v.validate(name)
		if err != nil {
			bad++
			_, _ = fmt.Fprintln(a.err, printableLines(err.Error()))
			continue
		}
		_, _ = fmt.Fprintf(a.out, "%s: %s\n", printable(name), verdict)
	}
	if bad > 0 {
		return &order.Error{Class: order.Invalid, Reason: "some manifests are not valid", Err: errReported}
	}
	return nil
}

// validator judges order files: with settings as the service would where they lie.
type validator struct {
	share *importer.Share // the rest is set with it
	in    *intake.Intake
	watch *watcher.Watcher
}

func (a *app) validator() (*validator, error) {
	if a.settings == "" {
		return &validator{}, nil
	}
	settings, err := config.Load(a.settings, a.env)
	if err != nil {
		return nil, err
	}
	share, err := importer.OpenShare(settings.BaseDir)
	if err != nil {
		return nil, &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	v := &validator{share: share}
	if v.in, v.watch, err = (&service{config: settings, log: a.quietLog(settings), share: share}).watcher(); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *validator) close() {
	if v.share != nil {
		_ = v.share.Close()
	}
}

func (v *validator) validate(name string) (verdict string, err error) {
	data, err := readManifest(name)
	if err != nil {
		return "", err
	}
	verdict = "valid"
	if v.share != nil {
		path, err := filepath.Abs(name)
		if err != nil {
			return "", fmt.Errorf("finding the folder of %s: %w", name, err)
		}
		if d, watched := v.watch.Control(path); watched {
			return verdict, v.in.Validate(d, data)
		}
		verdict += "; no rule looks for it where it lies"
	}
	base := filepath.Base(name)
	if order.IsLegacy(base) {
		_, err = order.DecodeLegacy(base, data)
	} else {
		_, err = order.DecodeManifest(base, data)
	}
	return verdict, err
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
