package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"biomero-importer/agent/config"
	"biomero-importer/agent/sample"
	"biomero-importer/preprocess"
)

// demoConverter is the image that converts one of the demo's files. It is never pulled.
const demoConverter = "localhost/tiff-pyramid:demo"

// demoConversion is the settings' rule for it.
const demoConversion = `  - path: %[1]s/data/{group}/{user}/convert/{dataset}
    order: {group: "{group}", user: "{user}", destination: {type: Dataset, name: "{dataset}"}}
    settle: 1s
    preprocessing: {container: ` + demoConverter + `, params: {show_progress: true}}
`

// trialPatience is how long a sample may take to be converted.
const trialPatience = 20 * time.Second

// tryConverting has a small sample converted as an order's file is, in a folder of its
// own: a podman that answers need not be one that runs containers.
func tryConverting(ctx context.Context, c *config.Config, dir string) (err error) {
	work, err := os.MkdirTemp(dir, "trial-")
	if err != nil {
		return fmt.Errorf("making a folder to try podman in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	share := filepath.Join(work, "share")
	if err := os.Mkdir(share, 0o755); err != nil { //nolint:gosec // no secret in it
		return fmt.Errorf("making a folder to try podman in: %w", err)
	}
	image := filepath.Join(share, "sample.tif")
	if err := sample.WriteTIFF(image, sample.Stack{Name: "sample", Width: 64, Height: 64, Planes: 1, Channels: 1, Seed: 1}); err != nil {
		return err
	}
	client, err := converters(&c.Podman, work, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	// Whatever ends the trial, no container of it stays.
	trial, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(preprocess.ErrCancelled) })()
	defer time.AfterFunc(trialPatience, func() { cancel(preprocess.ErrCancelled) }).Stop()
	id := uuid.NewString()
	_, err = client.Run(trial, preprocess.Request{
		Order: id, Share: share, Path: image, Image: demoConverter, InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out",
		Temp: filepath.Join(work, "temp", id, "0"), Processed: c.ProcessedFolder,
	}, preprocess.Watch{})
	return err
}

// whyNotConverted is the reason in words that end a sentence.
func whyNotConverted(err error) string {
	fault, ok := errors.AsType[*preprocess.Error](err)
	switch {
	case errors.Is(err, preprocess.ErrUnavailable):
		return "no podman service answers at $CONTAINER_HOST, or at the usual places where that is not set"
	case errors.Is(err, preprocess.ErrCancelled):
		return fmt.Sprintf("podman did not convert a sample within %s", trialPatience)
	case ok:
		return strings.TrimSuffix(fault.Reason, ".")
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(text, ".")
}
