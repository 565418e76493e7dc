package podman_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

func TestRun_convertsAndPublishes(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	req := newRequest(t, "convert", nil)
	var lines []string
	starts := 0
	result, err := client.Run(t.Context(), req, preprocess.Watch{
		Starting: func() error { starts++; return nil },
		Line:     func(from preprocess.Stream, line string) { lines = append(lines, string(from)+" "+line) },
	})
	require.NoError(t, err)
	require.Equal(t, 1, starts)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `stdout [{"name":"Image of x.ome.tiff"`)
	require.Equal(t, converterImage, result.Image)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, result.Digest)
	require.Len(t, result.Items, 1)
	item := result.Items[0]
	require.Equal(t, "Image of x.ome.tiff", item.Name)
	require.Equal(t, filepath.Join(req.Share, "in/.processed/x.ome.tiff"), item.Published)
	require.Equal(t, req.Temp, filepath.Dir(filepath.Dir(item.Import)))
	require.Equal(t, []preprocess.KeyValue{{Key: "channel_mins", Values: []string{"1097", "3"}}, {Key: "software", Values: []string{"v1"}}}, item.KeyValues)
	for _, path := range []string{item.Import, item.Published} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode(), path)
	}
	require.Empty(t, left(t, shared))

	again, err := client.Run(t.Context(), req, preprocess.Watch{Starting: func() error { starts++; return nil }})
	require.NoError(t, err)
	require.Equal(t, result, again)
	require.Equal(t, 1, starts, "what was converted is not converted again")

	require.NoError(t, preprocess.CleanUp(t.Context(), req))
	require.Equal(t, map[string]string{"x.ome.tiff": "pixels"}, tree(t, filepath.Join(req.Share, "in/.processed")))
	require.Empty(t, tree(t, filepath.Dir(filepath.Dir(req.Temp))))

	rerun, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(req.Share, "in/.processed/x.6f1d3a52.ome.tiff"), rerun.Items[0].Published)
}

func TestRun_tiffPyramid(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	req := newRequest(t, "", nil)
	req.Image, req.Params = pyramidImage, map[string]any{"show_progress": true, "tilesize": 64}
	tiff, err := os.ReadFile("../tiff/testdata/strips-lzw-grey16.tif")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(req.Path, tiff, 0o644))
	var percents []int
	result, err := client.Run(t.Context(), req, preprocess.Watch{Progress: func(percent int) { percents = append(percents, percent) }})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(req.Share, "in/.processed/x.ome.tiff"), result.Items[0].Published)
	require.NotEmpty(t, percents)
	require.Equal(t, 100, percents[len(percents)-1])
}

func TestRun_tellsOfProgress(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	var percents []int
	var lines []string
	_, err := client.Run(t.Context(), newRequest(t, "progress", nil), preprocess.Watch{
		Progress: func(percent int) { percents = append(percents, percent) },
		Line: func(from preprocess.Stream, line string) {
			if from == preprocess.Stderr {
				lines = append(lines, line)
			}
		},
	})
	require.NoError(t, err)
	require.Equal(t, []int{10, 20, 42, 100}, percents)
	require.Equal(t, []string{"progress: 42.5 %", "42%", "100%", "150%"}, lines)
}

func TestRun_severalItems(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	req := newRequest(t, "several", nil)
	result, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	require.Len(t, result.Items, 3)
	require.Equal(t, map[string]string{"plate0/x.ome.tiff": "p", "plate1/x.ome.tiff": "pp", "plate2/x.ome.tiff": "ppp"},
		tree(t, filepath.Join(req.Share, "in/.processed")))
}

func TestRun_zarr(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	req := newRequest(t, "zarr", nil)
	result, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(req.Share, "in/.processed/x.zarr"), result.Items[0].Published)
	require.DirExists(t, result.Items[0].Import)
	require.Len(t, tree(t, result.Items[0].Published), 2)
}

// A converter sees the input and its folders, and nothing can be done from within.
func TestRun_isolates(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	req := newRequest(t, "environment", map[string]any{"dial": listener.Addr().String()})
	result, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	facts := map[string]string{}
	for _, pair := range result.Items[0].KeyValues {
		facts[pair.Key] = strings.Join(pair.Values, ",")
	}
	none := "0000000000000000"
	require.Equal(t, map[string]string{
		"input": "/data/x.tif", "home": "/tmp", "user": strconv.Itoa(os.Geteuid()), "wrote /tmp/new": "true", "interface lo": "true",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1",
	}, facts)
	require.Equal(t, "input", tree(t, req.Share)["in/x.tif"])
}

func TestRun_refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files, answer, want string
	}{
		"no answer":                            {"", "", "its answer is missing"},
		"no JSON":                              {"", "done", "not a JSON list"},
		"no list":                              {"", `{"full_path": "/data/x.tif"}`, "not a JSON list"},
		"an empty list":                        {"", "[]", "an empty list"},
		"no path":                              {"", `[{"name": "a"}]`, "lacks the full_path of item 1"},
		"a file that is not there":             {"", `[{"full_path": "/data/.processed/x.tiff"}]`, "there is no file /data/.processed/x.tiff"},
		"a path elsewhere":                     {"", `[{"full_path": "/etc/passwd"}]`, "in none of the folders"},
		"a path that climbs":                   {"a.tiff", `[{"full_path": "/data/.processed/../../etc/passwd"}]`, `without ".."`},
		"a path that is not whole":             {"a.tiff", `[{"full_path": "a.tiff"}]`, "has to be whole"},
		"a folder":                             {"a/b.tiff", `[{"full_path": "/data/.processed/a"}]`, "neither a file nor"},
		"only a copy":                          {"a.tiff", `[{"full_path": "/out/a.tiff"}]`, "left a.tiff only in /out"},
		"a copy elsewhere":                     {"a.tiff", `[{"full_path": "/data/.processed/a.tiff", "alt_path": "/data/x.tif"}]`, "alt_path /data/x.tif is not in /out"},
		"a copy that is another":               {"a.tiff b.tiff", `[{"full_path": "/data/.processed/a.tiff", "alt_path": "/out/b.tiff"}]`, "two copies"},
		"no copy":                              {"a.tiff", `[{"full_path": "/data/.processed/a.tiff", "alt_path": "/out/b.tiff"}]`, "there is no file /out/b.tiff"},
		"one file twice":                       {"a.tiff", `[{"full_path": "/data/.processed/a.tiff"}, {"full_path": "/data/.processed/a.tiff"}]`, "twice"},
		"one file twice and spelled otherwise": {"a.tiff", `[{"full_path": "/data/.processed/a.tiff"}, {"full_path": "/data//.processed/a.tiff"}]`, "twice"},
		"one copy twice":                       {"a.tiff b.tiff", `[{"full_path": "/data/.processed/a.tiff", "alt_path": "/out/a.tiff"}, {"full_path": "/data/.processed/b.tiff", "alt_path": "/out/a.tiff"}]`, "it named /out/a.tiff twice"},
		"a file in another":                    {"z.zarr/a", `[{"full_path": "/data/.processed/z.zarr/a"}, {"full_path": "/data/.processed/z.zarr"}]`, "both the folder z.zarr and z.zarr/a"},
		"odd keyvalues":                        {"a.tiff", `[{"full_path": "/data/.processed/a.tiff", "keyvalues": "x"}]`, "neither an object nor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, nil)
			req := newRequest(t, "say", map[string]any{"files": tc.files, "answer": tc.answer})
			_, err := client.Run(t.Context(), req, preprocess.Watch{})
			var fault *preprocess.Error
			require.ErrorAs(t, err, &fault)
			require.Contains(t, fault.Reason, "The container localhost/converter:v1 ended with exit status 0, but ")
			require.Contains(t, fault.Reason, tc.want)
			require.Empty(t, left(t, shared))
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
			require.Equal(t, map[string]string{"in/x.tif": "input"}, tree(t, req.Share))
		})
	}
}

func TestRun_takesWhatIsPassedOn(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"pass-through":       `[{"name": "a", "full_path": "/data/x.tif", "alt_path": null, "keyvalues": []}]`,
		"the same path":      `[{"name": "a", "full_path": "/data/x.tif", "alt_path": "/data/x.tif"}]`,
		"metadata only":      `[{"name": "a", "full_path": "/data/x.tif", "keyvalues": {"k": "v"}}]`,
		"with warnings":      "a warning\n[{\"name\": \"a\", \"full_path\": \"/data/x.tif\"}]\n\n",
		"with another order": `[{"keyvalues": null, "alt_path": null, "name": "a", "full_path": "/data//./x.tif", "more": 1}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, nil)
			req := newRequest(t, "say", map[string]any{"answer": answer})
			result, err := client.Run(t.Context(), req, preprocess.Watch{})
			require.NoError(t, err)
			require.Empty(t, result.Moves)
			require.Len(t, result.Items, 1)
			item := result.Items[0]
			require.Equal(t, preprocess.Item{Name: "a", Import: req.Path, Published: req.Path, KeyValues: item.KeyValues}, item)
		})
	}
}

func TestRun_saysHowAContainerEnded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     string
		limits podman.Limits
		want   string
	}{
		"exit status": {"fail", podman.Limits{}, "failed with exit status 3. The end of its output: "},
		"memory":      {"memory", podman.Limits{Memory: 64 << 20}, "needed more than 64 MiB of memory"},
		"processes":   {"fork", podman.Limits{Pids: 40, Time: 20 * time.Second}, "localhost/converter:v1 "},
		"time and exit status 0": {
			"obedient", podman.Limits{Time: 2 * time.Second}, "was stopped because it ran for longer than 2s.",
		},
		"time": {"stubborn", podman.Limits{Time: 2 * time.Second}, "was stopped because it ran for longer than 2s. The end of its output: ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, func(o *podman.Options) { o.Limits = tc.limits })
			req := newRequest(t, tc.do, nil)
			_, err := client.Run(t.Context(), req, preprocess.Watch{})
			var fault *preprocess.Error
			require.ErrorAs(t, err, &fault)
			require.Contains(t, fault.Reason, tc.want)
			require.Empty(t, left(t, shared))
		})
	}
}

// Whoever shuts a host down stops its containers.
func TestRun_mayBeRepeatedAfterAStop(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, nil).Run(t.Context(), newRequest(t, "end as one that is stopped", nil), preprocess.Watch{})
	var fault *preprocess.Error
	require.NotErrorAs(t, err, &fault)
	require.ErrorContains(t, err, "was stopped by somebody")
	require.Empty(t, left(t, shared))
}

func TestRun_survivesOutput(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"endless", "long"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, nil)
			longest := 0
			result, err := client.Run(t.Context(), newRequest(t, do, map[string]any{"megabytes": 100}), preprocess.Watch{
				Line: func(_ preprocess.Stream, line string) { longest = max(longest, len(line)) },
			})
			require.NoError(t, err)
			require.Equal(t, "Image of x.ome.tiff", result.Items[0].Name)
			require.LessOrEqual(t, longest, preprocess.MaxLine)
		})
	}
}

func TestRun_followsNoLinks(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]map[string]any{
		"a link as output":        {"full": "/data/.processed/link.tiff"},
		"a link on the way":       {"full": "/data/.processed/up/up.tiff"},
		"a link to the input":     {"full": "/data/.processed/up/in/x.tif"},
		"a pipe":                  {"full": "/data/.processed/pipe.tiff"},
		"a link in a Zarr folder": {"full": "/data/.processed/z.zarr"},
		"a link as the copy":      {"alt": "/out/link.tiff"},
		"a link to all":           {"alt": "/out/root/etc/passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, nil)
			req := newRequest(t, "links", params)
			_, err := client.Run(t.Context(), req, preprocess.Watch{})
			var fault *preprocess.Error
			require.ErrorAs(t, err, &fault)
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
			require.Equal(t, map[string]string{"in/x.tif": "input"}, tree(t, req.Share))
		})
	}
	t.Run("beside an output", func(t *testing.T) {
		t.Parallel()
		client := newClient(t, nil)
		req := newRequest(t, "links", map[string]any{"alt": "/out/y.ome.tiff"})
		_, err := client.Run(t.Context(), req, preprocess.Watch{})
		require.NoError(t, err)
		require.NoError(t, preprocess.CleanUp(t.Context(), req))
		require.Equal(t, map[string]string{"in/x.tif": "input", "in/.processed/y.ome.tiff": "pixels"}, tree(t, req.Share))
	})
}

func TestRun_cancelledKills(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := client.Run(ctx, newRequest(t, "stubborn", nil), preprocess.Watch{
		Line: func(preprocess.Stream, string) { cancel(preprocess.ErrCancelled) },
	})
	require.ErrorIs(t, err, preprocess.ErrCancelled)
	require.Empty(t, left(t, shared))
}

// Names may have anything in them that a filesystem allows and that is text.
func TestRun_takesAnyName(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"a:b,ro,c=d:rw.tif", "--inputfile.tif", "a \"b\" 'c' $d\n\te.tif", "ü%20\\x.tif", "{Files}.tif"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, func(o *podman.Options) { o.Installation = "any name " + strconv.Itoa(i) })
			req := newRequest(t, "pass on", nil)
			folder := filepath.Join(filepath.Dir(req.Path), "in "+name)
			require.NoError(t, os.Mkdir(folder, 0o755))
			req.Path = filepath.Join(folder, name)
			require.NoError(t, os.WriteFile(req.Path, []byte("input"), 0o644))
			result, err := client.Run(t.Context(), req, preprocess.Watch{})
			require.NoError(t, err)
			require.Equal(t, req.Path, result.Items[0].Published)
			require.NoError(t, preprocess.CleanUp(t.Context(), req))
		})
	}
}

// An image may ask to be looked after by systemd, which is not everywhere, and with a
// program of its own.
func TestRun_withoutHealthChecks(t *testing.T) {
	t.Parallel()
	needPodman(t)
	dir := t.TempDir()
	const image = "localhost/health-check:v1"
	text := "FROM " + converterImage + "\nHEALTHCHECK --interval=1s CMD [\"/none\"]\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Containerfile"), []byte(text), 0o600))
	require.NoError(t, shared.Run("build", "--network=none", "--format=docker", "--tag="+image, dir))
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	req.Image = image
	untilReady(t, client, req, seen)
	check, err := shared.Podman("inspect", "--format={{.Config.Healthcheck.Test}}", left(t, shared)).Output()
	require.NoError(t, err)
	require.Equal(t, "[NONE]\n", string(check))
	require.NoError(t, client.Remove(t.Context(), req.Order))
}
