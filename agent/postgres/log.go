package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// logLimit is the size in bytes from which a start puts the log aside.
const logLimit = 16 << 20

func openLog(path string) (file *os.File, size int64, err error) {
	if info, err := os.Lstat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("putting the old database log aside: %w", err)
		}
	}
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // a path of ours
	if err != nil {
		return nil, 0, fmt.Errorf("opening the database log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("reading the size of the database log: %w", err), file.Close())
	}
	return file, info.Size(), nil
}

// lastLines returns the end of what was logged since begin, to be put behind
// an error.
func lastLines(path string, begin int64) string {
	file, err := os.Open(path) //nolint:gosec // a path of ours
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	const most = 64 << 10
	text, _ := io.ReadAll(io.NewSectionReader(file, begin, most)) // part of it is better than nothing
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "\nthe last lines of " + path + ":\n" + strings.Join(lines[max(0, len(lines)-10):], "\n")
}
