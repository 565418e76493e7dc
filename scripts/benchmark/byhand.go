package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"biomero-importer/preprocess/podman/podmantest"
)

// byHand runs the converter as the agent does, without it: podman's own program with the
// same image, arguments, mounts and isolation.
type byHand struct {
	podman *podmantest.Service
	dir    string // for what comes out
	sleep  time.Duration
}

// one converts an input, and returns how long that took.
func (h byHand) one(ctx context.Context, input string) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	began := time.Now()
	in, name := filepath.Split(input)
	processed, out := filepath.Join(h.dir, name, "processed"), filepath.Join(h.dir, name, "out")
	// The agent's converter has its folder mounted over one that is there.
	for _, dir := range []string{filepath.Join(in, ".processed"), processed, out} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // no secret in it
			return 0, err
		}
	}
	//nolint:contextcheck // it knows none
	err := h.podman.Run("run", "--rm", "--pull=never", fmt.Sprintf("--user=%d:%d", os.Geteuid(), os.Getegid()), "--env=HOME=/tmp",
		"--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
		"--systemd=false", "--image-volume=tmpfs", "--log-driver=k8s-file", "--log-opt=max-size=16mb", "--timeout=86410", "--pids-limit=4096",
		"--tmpfs=/tmp:rw,nosuid,nodev,mode=1777,size=1g",
		"--volume="+filepath.Clean(in)+":/data:bind,ro,nosuid,nodev", "--volume="+processed+":/data/.processed:bind,rw,nosuid,nodev",
		"--volume="+out+":/out:bind,rw,nosuid,nodev", podmantest.Converter,
		"--inputfile", "/data/"+name, "--do", "sleep", "--milliseconds", milli(h.sleep),
		"--outputfolder", "/data/.processed", "--altoutputfolder", "/out")
	return time.Since(began), err
}

// all converts inputs, several at a time, and returns how long that took.
func (h byHand) all(ctx context.Context, inputs []string, workers int) (time.Duration, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	began := time.Now()
	for _, input := range inputs {
		group.Go(func() error {
			_, err := h.one(ctx, input)
			return err
		})
	}
	err := group.Wait()
	return time.Since(began), err
}
