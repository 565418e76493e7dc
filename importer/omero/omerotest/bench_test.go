package omerotest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThousandFilesInOneProcess(t *testing.T) {
	s := newSite(t)
	key := s.login()
	var paths strings.Builder
	for i := range 1000 {
		fmt.Fprintln(&paths, s.file(fmt.Sprintf("%d.tif", i), []byte("pixels")))
	}
	bare := bareCost(t, 1000)
	r := s.feed(paths.String(), s.importArgs(key, "-d", "51", "--output", "yaml", "-")...)
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, 1000, strings.Count(r.out, "---\n"))
	require.Len(t, s.State().Images, 1000)
	t.Log(r.cpu, r.took, bare)
	require.Less(t, r.cpu, 2*time.Second+2*bare)
}

// bareCost is what so many folders with a link in each cost here and now; on some
// disks that is all there is to an import.
func bareCost(t *testing.T, n int) time.Duration {
	t.Helper()
	dir := t.TempDir()
	start := time.Now()
	for i := range n {
		path := filepath.Join(dir, decimal(int64(i)))
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.Symlink("/nowhere", filepath.Join(path, "a.tif")))
		require.NoError(t, os.WriteFile(path+".log", nil, 0o600))
	}
	return time.Since(start)
}
