package podman_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
	"biomero-importer/preprocess/podman/podmantest"
)

const (
	converterImage = podmantest.Converter
	pyramidImage   = "localhost/tiff-pyramid:v1"
)

// shared is the service of all tests that do not harm one; nil without podman.
var shared *podmantest.Service

func TestMain(m *testing.M) {
	if text := os.Getenv(childRequest); text != "" {
		child(text)
		return
	}
	dir, err := os.MkdirTemp("", "podman")
	if podmantest.There() && err == nil {
		if shared, err = podmantest.New(dir); err == nil {
			err = errors.Join(shared.BuildConverter(), shared.Build(pyramidImage, "examples/tiff-pyramid"))
		}
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if shared != nil {
		shared.Remove()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// own starts a service of a test's own, with the images.
func own(t *testing.T) *podmantest.Service {
	t.Helper()
	needPodman(t)
	s := podmantest.Start(t)
	archive := filepath.Join(t.TempDir(), "images.tar")
	require.NoError(t, shared.Run("save", "--quiet", "--output="+archive, converterImage))
	require.NoError(t, s.Run("load", "--quiet", "--input="+archive))
	return s
}

func needPodman(tb testing.TB) {
	tb.Helper()
	if shared == nil {
		tb.Skip("podman, which runs containers, is not on this machine")
	}
}

// newClient makes a client of the shared service for an installation of its own.
func newClient(tb testing.TB, change func(*podman.Options)) *podman.Client {
	tb.Helper()
	needPodman(tb)
	return clientOf(tb, shared, change)
}

func clientOf(tb testing.TB, s *podmantest.Service, change func(*podman.Options)) *podman.Client {
	tb.Helper()
	options := podman.Options{Socket: s.Socket, Installation: tb.Name(), Limits: podman.Limits{Memory: 256 << 20, Pids: 200, Time: 2 * time.Minute}}
	if change != nil {
		change(&options)
	}
	client, err := podman.New(options, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, client.Close()) })
	return client
}

// newRequest asks the test's converter to do something with a file x.tif.
func newRequest(tb testing.TB, do string, params map[string]any) preprocess.Request {
	tb.Helper()
	dir := tb.TempDir()
	share := filepath.Join(dir, "share")
	require.NoError(tb, os.MkdirAll(filepath.Join(share, "in"), 0o755))
	require.NoError(tb, os.WriteFile(filepath.Join(share, "in/x.tif"), []byte("input"), 0o644))
	all := map[string]any{"do": do}
	maps.Copy(all, params)
	const order = "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a01"
	return preprocess.Request{
		Order: order, Input: 0, Share: share, Path: filepath.Join(share, "in/x.tif"), Image: converterImage,
		InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out", Params: all, Temp: filepath.Join(dir, "temp", order, "0"),
	}
}

// tree is what is below a folder: names with contents, less those of records.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(text)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	return found
}

// left are the containers of the test that there are still.
func left(t *testing.T, s *podmantest.Service) string {
	t.Helper()
	out, err := s.Podman("ps", "--all", "--quiet", "--filter", "label=biomero-importer.installation="+t.Name()).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

// childRequest has what a process of its own is to do, so that it can be killed.
const childRequest = "BIOMERO_TEST_CHILD"

type childWork struct {
	Socket       string             `json:"socket"`
	Installation string             `json:"installation"`
	Request      preprocess.Request `json:"request"`
}

// child carries a request out and tells what happens, a word on each line.
func child(text string) {
	var work childWork
	if err := json.Unmarshal([]byte(text), &work); err != nil {
		panic(err)
	}
	client, err := podman.New(podman.Options{Socket: work.Socket, Installation: work.Installation}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	// Whoever reads this is who decides when it goes on.
	step := func(word string) {
		fmt.Println(word)
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
	_, err = client.Run(context.Background(), work.Request, preprocess.Watch{
		Starting: func() error { step("starting"); return nil },
		Line: func(_ preprocess.Stream, line string) {
			word, _, _ := strings.Cut(line, " ")
			if strings.HasPrefix(word, "[") {
				word = "answered"
			}
			step(word)
		},
	})
	step(fmt.Sprintf("ended %v", err))
}

// killedAt runs a request in a process of its own, and kills that when it says a word.
func killedAt(t *testing.T, options podman.Options, req preprocess.Request, word string, change ...func(*exec.Cmd)) {
	t.Helper()
	text, err := json.Marshal(childWork{options.Socket, options.Installation, req})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRequest+"="+string(text))
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	for _, change := range change {
		change(cmd)
	}
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	var said bytes.Buffer
	for !strings.HasPrefix(said.String()[strings.LastIndexByte(strings.TrimSuffix(said.String(), "\n"), '\n')+1:], word) {
		buffer := make([]byte, 4096)
		n, err := stdout.Read(buffer)
		require.NoError(t, err, "it never said %q but %q", word, said.String())
		said.Write(buffer[:n])
		if !strings.Contains(said.String(), word) {
			_, err = stdin.Write([]byte("\n"))
			require.NoError(t, err)
		}
	}
}
