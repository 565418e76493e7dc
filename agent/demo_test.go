package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// One demo at a time: two that start at once could both want the usual port.
var demos sync.Mutex

// demonstrate runs the demo once, with podman at a socket, and returns what it says.
func demonstrate(t *testing.T, dir, socket string) string {
	t.Helper()
	demos.Lock()
	defer demos.Unlock()
	cmd := exec.Command(binary, "demo", "--once", "--dir", dir)
	cmd.Env = append(os.Environ(), "CONTAINER_HOST=unix://"+socket)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	trials, err := filepath.Glob(filepath.Join(dir, "trial-*"))
	require.NoError(t, err)
	require.Empty(t, trials)
	return string(out)
}

func TestDemo_twiceInARow(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for range 2 {
		out := demonstrate(t, dir, filepath.Join(dir, "nowhere.sock"))
		require.Contains(t, out, "All 4 sample orders were imported.\n"+
			"A converted image was left out: no podman service answers at $CONTAINER_HOST")
	}
}

// A podman without the image is no reason to fail, and what converts once it has it is
// said to have.
func TestDemo_convertsWherePodmanCan(t *testing.T) {
	t.Parallel()
	podman := service(t)
	dir := openDir(t)
	out := demonstrate(t, dir, podman.Socket)
	require.Contains(t, out, "All 4 sample orders were imported.\n"+
		"A converted image was left out: The container image localhost/tiff-pyramid:demo is not on the machine that runs converters")
	require.NoError(t, podman.Build("localhost/tiff-pyramid:demo", "examples/tiff-pyramid"))
	for range 2 {
		out := demonstrate(t, dir, podman.Socket)
		require.Contains(t, out, "All 5 sample orders were imported.")
		require.Regexp(t, `convert-\S+\.ome\.tiff -> \S+/\.processed/convert-`, out)
		require.NotContains(t, out, "left out")
	}
}
