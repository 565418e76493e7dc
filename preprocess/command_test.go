package preprocess_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

func request() preprocess.Request {
	return preprocess.Request{
		Share: "/share", Path: "/share/in/a b.tif", Image: "x", InputFile: "{Files}", OutputFolder: "/data", AltOutputFolder: "/out",
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	req := request()
	req.Params = map[string]any{
		"text": "a b", "number": json.Number("1.50"), "whole": 3, "float": 0.5, "yes": true, "no": false, "nothing": nil,
		"list": []any{"<a>", json.Number("1")}, "object": map[string]any{"b": 1, "a": "{Files}"}, "file": "x={Files}", "empty": "",
	}
	for range 10 {
		args, err := req.Command()
		require.NoError(t, err)
		require.Equal(t, []string{
			"--inputfile", "/data/a b.tif",
			"--empty", "", "--file", "x=/data/a b.tif", "--float", "0.5", "--list", `["<a>",1]`, "--nothing", "null", "--number", "1.50",
			"--object", `{"a":"/data/a b.tif","b":1}`, "--text", "a b", "--whole", "3", "--yes",
			"--outputfolder", "/data/.processed", "--altoutputfolder", "/out",
		}, args)
	}
	req.Params, req.Processed, req.AltOutputFolder, req.InputFile = nil, "done", "", "file:{Files}"
	args, err := req.Command()
	require.NoError(t, err)
	require.Equal(t, []string{"--inputfile", "file:/data/a b.tif", "--outputfolder", "/data/done"}, args)
}

// A name cannot end a string of JSON.
func TestCommand_quotesTheInput(t *testing.T) {
	t.Parallel()
	req := request()
	req.Path = `/share/in/a","x":"b\c.tif`
	req.Params = map[string]any{"object": map[string]any{"a": "<{Files}>"}, "text": "{Files}"}
	args, err := req.Command()
	require.NoError(t, err)
	require.Equal(t, []string{"--object", `{"a":"</data/a\",\"x\":\"b\\c.tif>"}`, "--text", `/data/a","x":"b\c.tif`}, args[2:6])
}

func TestCommand_refuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*preprocess.Request){
		"no valid name":             func(r *preprocess.Request) { r.Params = map[string]any{"--x": 1} },
		"given by the importer":     func(r *preprocess.Request) { r.Params = map[string]any{"inputfile": 1} },
		"not written in UTF-8":      func(r *preprocess.Request) { r.Path = "/share/in/M\xfcller.tif" },
		"zero byte":                 func(r *preprocess.Request) { r.Params = map[string]any{"x": "\x00"} },
		"bytes long, more than":     func(r *preprocess.Request) { r.Params = map[string]any{"x": strings.Repeat("x", 200_000)} },
		"cannot be written":         func(r *preprocess.Request) { r.Params = map[string]any{"x": func() {}} },
		`output_folder "data"`:      func(r *preprocess.Request) { r.OutputFolder = "data" },
		`output_folder "/"`:         func(r *preprocess.Request) { r.OutputFolder = "/" },
		`output_folder "/etc"`:      func(r *preprocess.Request) { r.OutputFolder = "/etc" },
		`output_folder "/usr/lib"`:  func(r *preprocess.Request) { r.OutputFolder = "/usr/lib" },
		`output_folder "/a/../b"`:   func(r *preprocess.Request) { r.OutputFolder = "/a/../b" },
		`alt_output_folder "/out/"`: func(r *preprocess.Request) { r.AltOutputFolder = "/out/" },
		"lie in each other":         func(r *preprocess.Request) { r.AltOutputFolder = "/data/out" },
	} {
		req := request()
		change(&req)
		_, err := req.Command()
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault, want)
		require.Contains(t, fault.Reason, want)
	}
}

func TestImageName(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("a", 64)
	for written, want := range map[string]string{
		"cellularimagingcf/converter:v1": "docker.io/cellularimagingcf/converter:v1", "converter": "docker.io/library/converter:latest",
		"docker.io/a/b": "docker.io/a/b:latest", "ghcr.io/a/b:1": "ghcr.io/a/b:1", "localhost/x": "localhost/x:latest",
		"host:5000/a": "host:5000/a:latest", "a/b" + digest: "docker.io/a/b" + digest, "ghcr.io/a/b:1" + digest: "ghcr.io/a/b:1" + digest,
	} {
		name, err := preprocess.ImageName(written)
		require.NoError(t, err, written)
		require.Equal(t, want, name)
	}
	for _, wrong := range []string{"", "a/B", "a b", "-x", "a/b:", "docker://a/b", "../x", "a@sha256:1"} {
		_, err := preprocess.ImageName(wrong)
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault, wrong)
	}
}

func TestAllowlist(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, image string
		allowed        bool
	}{
		{"ghcr.io/lab/*", "ghcr.io/lab/converter:v1", true},
		{"ghcr.io/lab/*", "ghcr.io/lab/converter@sha256:" + strings.Repeat("a", 64), true},
		{"ghcr.io/lab/*", "ghcr.io/lab/sub/converter:v1", false},
		{"ghcr.io/lab/*", "ghcr.io.evil.org/lab/x", false},
		{"ghcr.io/**", "ghcr.io/lab/sub/converter:v1", true},
		{"ghcr.io/**", "quay.io/ghcr.io/x", false},
		{"lab/converter", "docker.io/lab/converter:v2", true},
		{"lab/converter", "ghcr.io/lab/converter:v2", false},
		{"lab/converter", "lab/converter2", false},
		{"lab/converter:v*", "lab/converter:v2", true},
		{"lab/converter:v*", "lab/converter:latest", false},
		{"lab/converter:v*", "lab/converter:v1@sha256:" + strings.Repeat("a", 64), false},
		{"lab/converter:v1", "lab/converter:v1@sha256:" + strings.Repeat("a", 64), false},
		{"lab/converter", "lab/converter:v1@sha256:" + strings.Repeat("a", 64), true},
		{"lab/converter:v1@sha256:" + strings.Repeat("a", 64), "lab/converter:v1@sha256:" + strings.Repeat("a", 64), true},
		{"lab/conv*er", "lab/converter:latest", true},
		{"lab/c.nverter", "lab/converter", false},
		{"localhost/*", "localhost/tiff-pyramid:v1", true},
	} {
		list, err := preprocess.NewAllowlist([]string{"quay.io/none", tc.pattern})
		require.NoError(t, err, tc.pattern)
		name, err := preprocess.ImageName(tc.image)
		require.NoError(t, err)
		require.Equal(t, tc.allowed, list.Check(name) == nil, "%s %s", tc.pattern, name)
	}
	var all preprocess.Allowlist
	require.NoError(t, all.Check("docker.io/a/b:c"))
	each, err := preprocess.NewAllowlist([]string{"quay.io/none", "**"})
	require.NoError(t, err)
	require.NoError(t, each.Check("docker.io/a/b:c"))
	_, err = preprocess.NewAllowlist([]string{"a b"})
	require.ErrorContains(t, err, "not a pattern")
}
