package logging_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/logging"
)

func TestTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none, err := logging.Tail(dir, "a", 5)
	require.NoError(t, err)
	require.Empty(t, none)
	none, err = logging.Tail(dir+"/away", "a", 5)
	require.NoError(t, err)
	require.Empty(t, none)

	log, done, err := logging.Orders{Dir: dir, Main: logging.JSON(io.Discard, 0)}.Open("a")
	require.NoError(t, err)
	for n := range 3000 {
		log.Info("imported", slog.String("path", fmt.Sprintf("/data/%d.tif", n)), slog.String("url", "postgresql://ada:hunter2@db/x"))
	}
	require.NoError(t, done())
	lines, err := logging.Tail(dir, "a", 2)
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Regexp(t, `^\d{4}-\S+ INFO imported path=/data/2999.tif url=postgresql://ada:\*\*\*@db/x$`, lines[1])
	lines, err = logging.Tail(dir, "a", 1_000_000)
	require.NoError(t, err)
	require.Less(t, len(lines), 3000, "only the end is read")
	require.Contains(t, lines[0], "INFO imported", "in whole lines")

	require.NoError(t, unix.Mkfifo(filepath.Join(dir, logging.FileName("pipe")), 0o600))
	_, err = logging.Tail(dir, "pipe", 5)
	require.ErrorContains(t, err, "no regular file")
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, logging.FileName("link"))))
	_, err = logging.Tail(dir, "link", 5)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "importer.log"), []byte("x\n"), 0o600))
	require.NoError(t, os.Symlink("importer.log", filepath.Join(dir, logging.FileName("near"))))
	_, err = logging.Tail(dir, "near", 5)
	require.ErrorContains(t, err, "no regular file")
}
