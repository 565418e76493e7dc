package omerotest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
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
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				timer := time.AfterFunc(rand.N(120*time.Millisecond), func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
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

// Java goes on when only the process that started it is killed, and keeps
// its output open.
func TestJavaOutlivesItsParent(t *testing.T) {
	s := newSite(t)
	key := s.login()
	s.Change(func(o *omerotest.Options) { o.FilesetTime = 300 * time.Millisecond })
	cmd := exec.CommandContext(t.Context(), s.CLI, s.importArgs(key, s.file("a.tif", []byte("x")), s.file("b.tif", []byte("x")))...)
	cmd.Env = s.env
	var out bytes.Buffer
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(s.State().Filesets) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "when Java has ended")
	require.Len(t, s.State().Images, 2)
	require.Contains(t, out.String(), "Image:5002\n")
}

// What a test leaves running does not outlive it.
func TestNothingIsLeftRunning(t *testing.T) {
	var pid int
	t.Run("a test", func(t *testing.T) {
		s := newSite(t)
		s.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Hang})
		cmd := exec.CommandContext(context.Background(), s.CLI, s.logins("-u", "researcher", "-w", "secret")...)
		cmd.Env = s.env
		require.NoError(t, cmd.Start())
		pid = cmd.Process.Pid
		require.Eventually(t, func() bool { return len(s.State().Calls) == 1 }, 10*time.Second, 5*time.Millisecond)
	})
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	state, err := process.Wait()
	require.NoError(t, err)
	require.Equal(t, -1, state.ExitCode(), "killed")
}
