package omerotest_test

import (
	"fmt"
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
	start := time.Now()
	r := s.feed(paths.String(), s.importArgs(key, "-d", "51", "--output", "yaml", "-")...)
	took := time.Since(start)
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, 1000, strings.Count(r.out, "---\n"))
	require.Len(t, s.State().Images, 1000)
	t.Log(took) // below a second, unless others use the machine too
	require.Less(t, took, 5*time.Second)
}
