//go:build failpoints

package failpoint

import (
	"os"
	"syscall"
)

// Hit kills the program, as kill -9 does, where FAILPOINT names the place. Where
// FREEZEPOINT does, what passes stands still for ever once the file FREEZE is there.
func Hit(p Point) {
	if os.Getenv("FAILPOINT") == string(p) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if os.Getenv("FREEZEPOINT") == string(p) {
		if _, err := os.Stat(os.Getenv("FREEZE")); err == nil {
			select {}
		}
	}
}
