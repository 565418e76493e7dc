package trackingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// script waits for a word from the test binary. If the pipe closes without
// one, the binary died: by a panic, a timeout or a kill. The server, or initdb,
// may just be starting then: whatever comes late finds its folder gone and ends.
const script = `
read -r word && exit 0
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
	[ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null
	rm -rf "$1" 2>/dev/null && exit 0
	sleep 0.2
done
`

// watchdog ends the server in a folder, and removes the folder, when this
// process dies without dismissing it. Unlike a parent-death signal, a pipe
// depends on no thread, and works for what is not a child of ours.
type watchdog struct {
	cmd  *exec.Cmd
	word io.WriteCloser
}

func guard(ctx context.Context, dir string) (*watchdog, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", script, "watchdog", dir) //nolint:gosec // a folder of ours
	// A ^C is for the tests, not for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	word, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making the watchdog's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the watchdog: %w", err)
	}
	return &watchdog{cmd, word}, nil
}

// dismiss ends the watchdog without its doing anything.
func (w *watchdog) dismiss() error {
	if w == nil {
		return nil
	}
	_, err := io.WriteString(w.word, "stopped\n")
	if err := errors.Join(err, w.word.Close(), w.cmd.Wait()); err != nil {
		return fmt.Errorf("dismissing the watchdog: %w", err)
	}
	return nil
}
