package main_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The image is built from this machine's own Go, without a network.
func TestContainerfile_buildsAnImageThatRuns(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("podman, which builds images, is not on this machine")
	}
	out, err := exec.Command("../scripts/container", "--check").CombinedOutput()
	require.NoError(t, err, string(out))
}
