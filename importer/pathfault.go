package importer

import (
	"errors"
	"strings"
	"syscall"
)

// IsUnusable reports a fault of a path itself, as against one of the storage
// that may pass.
func IsUnusable(err error) bool {
	if err == nil {
		return false
	}
	for _, fault := range []error{syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL} {
		if errors.Is(err, fault) {
			return true
		}
	}
	// os.Root and filepath have errors of their own without a code.
	text := err.Error()
	return strings.Contains(text, "path escapes") || strings.Contains(text, "too many links")
}
