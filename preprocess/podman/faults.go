package podman

import (
	"fmt"
	"strings"

	"biomero-importer/preprocess"
)

// notStarted tells an image that cannot run from what may pass.
func notStarted(image string, err error) error {
	text := strings.ToLower(err.Error())
	for _, word := range []string{"command that was not found", "executable file not found", "exec format error", "permission denied: oci permission denied", "no command or entrypoint"} {
		if strings.Contains(text, word) {
			return &preprocess.Error{Reason: fmt.Sprintf("The container %s cannot be started: the program that it names is missing, "+
				"or made for another kind of machine.", image), Err: err}
		}
	}
	return fmt.Errorf("starting a container of %s: %w", image, err)
}

// isBusyMount reports whether one of the mounts kept a container from being made or
// started, as those of network shares do now and then.
func isBusyMount(err error, mounts []preprocess.Mount) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	for _, word := range []string{
		"resource busy", "stale file handle", "transport endpoint", "input/output error", "host is down", "resource temporarily unavailable",
		"connection timed out", "no such device",
	} {
		if strings.Contains(text, word) {
			return true
		}
	}
	// The folder is there, or this would not have got so far; podman does not see it yet.
	for _, mount := range mounts {
		if strings.Contains(text, strings.ToLower("statfs "+mount.Source)) || strings.Contains(text, "error mounting \""+strings.ToLower(mount.Source)) {
			return true
		}
	}
	return false
}
