package omerotest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

// Imports may be killed at any instant, several at a time: the state stays whole,
// and holds all that was printed.
func TestKilledAtAnyInstant(t *testing.T) {
	s := newSite(t)
	key := s.login()
	var paths []string
	for i := range 40 {
		paths = append(paths, s.file(fmt.Sprintf("%d.tif", i), omerotest.ImagesFile(2)))
	}
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		printed []map[string][]string
	)
	for range 4 {
		wait.Go(func() {
			for range 5 {
				cmd := exec.CommandContext(t.Context(), s.CLI, s.importArgs(key, append([]string{"-d", "51", "--output", "yaml"}, paths...)...)...)
				cmd.Env = s.env
				var out bytes.Buffer
				cmd.Stdout = &out
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				timer := time.AfterFunc(rand.N(60*time.Millisecond), func() { _ = cmd.Process.Kill() })
				_ = cmd.Wait()
				timer.Stop()
				mu.Lock()
				printed = append(printed, records(t, out.String())...)
				mu.Unlock()
			}
		})
	}
	wait.Wait()

	state := s.State()
	images := map[int64]int{}
	for _, i := range state.Images {
		images[i.Fileset]++
		require.Equal(t, []int64{51}, i.Datasets)
	}
	dangling := 0
	for _, fs := range state.Filesets {
		switch images[fs.ID] {
		case 0:
			dangling++
		case 2:
			_, err := os.Readlink(filepath.Join(s.Repository, fs.Files[0]))
			require.NoError(t, err)
		default:
			t.Errorf("fileset %d has %d images", fs.ID, images[fs.ID])
		}
	}
	require.LessOrEqual(t, dangling, 20, "one for each process at most")
	for _, record := range printed {
		id, err := strconv.ParseInt(record["Fileset"][0], 10, 64)
		require.NoError(t, err)
		if len(record["Image"]) == 2 { // or else it was cut off
			require.Equal(t, 2, images[id])
		}
	}
	require.NotEmpty(t, printed)
}
