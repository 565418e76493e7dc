// Package own_test builds and runs the converters of this folder, and the commands of its guide.
package own_test

import (
	"bytes"
	"compress/gzip"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The guide's commands are run as they are written, each block in the folder and on the
// images that the one before left; then come orders, as the service would make them.
func TestConverters(t *testing.T) {
	t.Parallel()
	service := newService(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(".")))
	guide, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(guide, -1)
	require.Len(t, blocks, 2)
	service.script(t, dir, string(blocks[0][1])) // builds the images
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data/scan.tif.gz"), gzipped(t, "pixels"), 0o644))
	said := service.script(t, dir, string(blocks[1][1])) // tries one
	require.Contains(t, string(guide), lastLine(said), "the guide shows what its command answers")
	for _, path := range []string{"data/.processed/scan.tif", "out/scan.tif"} {
		text, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, "pixels", string(text))
	}

	options := podman.Options{
		Socket: service.Socket, Installation: t.Name(), Pull: podman.PullNever,
		Limits: podman.Limits{Memory: 256 << 20, Pids: 100, Time: time.Minute},
	}
	client, err := podman.New(options, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	for name, run := range map[string]func(t *testing.T, client *podman.Client){"shell": shell, "python": python, "go": golang} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, client)
		})
	}
}

func shell(t *testing.T, client *podman.Client) {
	t.Helper()
	for _, alt := range []string{"/out", ""} {
		req := newRequest(t, "localhost/unpack:v1", map[string][]byte{`a "b" \c.tif.gz`: gzipped(t, "pixels")})
		req.AltOutputFolder = alt
		result, err := client.Run(t.Context(), req, preprocess.Watch{})
		require.NoError(t, err)
		require.Len(t, result.Items, 1)
		item := result.Items[0]
		require.Equal(t, `a "b" \c.tif`, item.Name)
		require.Equal(t, filepath.Join(req.Share, `.processed/a "b" \c.tif`), item.Published)
		require.Equal(t, alt == "", item.Import == item.Published)
		require.Equal(t, []preprocess.KeyValue{{Key: "unpacked_by", Values: []string{"gunzip"}}}, item.KeyValues)
		text, err := os.ReadFile(item.Import)
		require.NoError(t, err)
		require.Equal(t, "pixels", string(text))
	}
	refused(t, client, newRequest(t, "localhost/unpack:v1", map[string][]byte{"x.tif.gz": []byte("no gzip")}), "exit status 1", "gunzip")
}

func python(t *testing.T, client *podman.Client) {
	t.Helper()
	req := newRequest(t, "localhost/annotate:v1", map[string][]byte{
		"scan é.tif": []byte("pixels"), "scan é.csv": []byte("\uFEFFstain,DAPI,GFP\r\n\r\nobjective ,\"63x, oil\"\r\nempty\r\n"),
	})
	req.Path = filepath.Join(req.Share, "scan é.tif")
	result, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	require.Equal(t, []preprocess.Item{{Name: "scan é.tif", Import: req.Path, Published: req.Path, KeyValues: []preprocess.KeyValue{
		{Key: "stain", Values: []string{"DAPI", "GFP"}}, {Key: "objective", Values: []string{"63x, oil"}}, {Key: "empty", Values: []string{}},
	}}}, result.Items)
	refused(t, client, newRequest(t, "localhost/annotate:v1", map[string][]byte{"scan.tif": []byte("pixels")}),
		"exit status 1", "There is no scan.csv beside scan.tif: put it there and retry the order.")
}

func golang(t *testing.T, client *podman.Client) {
	t.Helper()
	picture := image.NewGray16(image.Rect(0, 0, 5, 10))
	picture.SetGray16(2, 6, color.Gray16{Y: 0x1234})
	var file bytes.Buffer
	require.NoError(t, png.Encode(&file, picture))
	for _, alt := range []string{"/out", ""} {
		req := newRequest(t, "localhost/cut-bar:v1", map[string][]byte{"x.png": file.Bytes()})
		req.AltOutputFolder, req.Params["bar"] = alt, 3
		result, err := client.Run(t.Context(), req, preprocess.Watch{})
		require.NoError(t, err)
		require.Len(t, result.Items, 1)
		item := result.Items[0]
		require.Equal(t, "x-cut.png", item.Name)
		require.Equal(t, filepath.Join(req.Share, ".processed/x-cut.png"), item.Published)
		require.Equal(t, alt == "", item.Import == item.Published)
		require.Equal(t, []preprocess.KeyValue{{Key: "bar_cut_off", Values: []string{"3"}}}, item.KeyValues)
		made, err := os.ReadFile(item.Import)
		require.NoError(t, err)
		cut, err := png.Decode(bytes.NewReader(made))
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 5, 7), cut.Bounds())
		require.Equal(t, color.Gray16{Y: 0x1234}, cut.At(2, 6))
	}
	req := newRequest(t, "localhost/cut-bar:v1", map[string][]byte{"x.png": file.Bytes()})
	refused(t, client, req, "exit status 1", "invalid image size: 5x-54")
}

// refused makes sure that an order fails, and that its reason says all of this.
func refused(t *testing.T, client *podman.Client, req preprocess.Request, parts ...string) {
	t.Helper()
	_, err := client.Run(t.Context(), req, preprocess.Watch{})
	var fault *preprocess.Error
	require.ErrorAs(t, err, &fault)
	for _, part := range append(parts, req.Image) {
		require.Contains(t, fault.Reason, part)
	}
}

// inputs numbers all requests: there is one container for an input at a time.
var inputs atomic.Int32

// newRequest asks an image to convert the first of some files, with parameters that it
// does not know.
func newRequest(t *testing.T, image string, files map[string][]byte) preprocess.Request {
	t.Helper()
	dir := t.TempDir()
	share := filepath.Join(dir, "share")
	require.NoError(t, os.Mkdir(share, 0o755))
	req := preprocess.Request{
		Order: "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a01", Input: int(inputs.Add(1)), Share: share, Image: image,
		InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out",
		Params: map[string]any{"show_progress": true, "note": "a b", "zoom": -1.5}, Temp: filepath.Join(dir, "temp/0"),
	}
	for name, text := range files {
		req.Path = filepath.Join(share, name)
		require.NoError(t, os.WriteFile(req.Path, text, 0o644))
	}
	return req
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var made bytes.Buffer
	w := gzip.NewWriter(&made)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return made.Bytes()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
