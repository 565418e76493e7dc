package importer

import (
	"errors"
	"strings"
	"syscall"
)

// isUnusable reports a fault of the path itself, as against one of the storage
// that may pass.
func isUnusable(err error) bool {
	for _, fault := range []error{syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL} {
		if errors.Is(err, fault) {
			return true
		}
	}
	// os.Root and filepath have errors of their own without a code.
	text := err.Error()
	return strings.Contains(text, "path escapes") || strings.Contains(text, "too many links")
}
