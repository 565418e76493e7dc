package converter_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/examples/internal/converter"
)

// writer is a converter that makes files of the given names and may then fail.
func writer(fails error, stems ...string) converter.Program {
	return converter.Program{
		Name: "writer", Version: "v1",
		Convert: func(_ context.Context, job *converter.Job) ([]converter.Item, error) {
			if _, err := job.TempDir(); err != nil {
				return nil, err
			}
			job.Expect(200)
			var items []converter.Item
			for _, stem := range stems {
				out, err := job.Create(stem)
				if err != nil {
					return nil, err
				}
				if _, err := out.WriteString("new " + stem); err != nil {
					return nil, err
				}
				job.Did(3)
				items = append(items, out.Item(stem, map[string]any{"size_x": 1}))
			}
			return items, fails
		},
	}
}

// contents are all files below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(data)
		return err
	}))
	entries, err := os.ReadDir(filepath.Join(dir, "alt"))
	require.NoError(t, err)
	for _, entry := range entries {
		require.False(t, entry.IsDir(), "a temporary folder stayed: %s", entry.Name())
	}
	return found
}

func folders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "full"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "alt"), 0o755))
	return dir
}

func args(dir string, more ...string) []string {
	return append([]string{
		"--inputfile", "/data/x.tif", "--outputfolder", filepath.Join(dir, "full"), "--altoutputfolder", filepath.Join(dir, "alt"),
	}, more...)
}

func TestRun_publishesTwoCopiesAndNeverReplaces(t *testing.T) {
	t.Parallel()
	dir := folders(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "full", "a.ome.tiff"), []byte("old"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alt", "a-2.ome.tiff"), []byte("old"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "full", "a-3.ome.tiff.partial"), []byte("of another run"), 0o600))
	var stdout, stderr bytes.Buffer
	require.NoError(t, writer(nil, "a", "b").Run(t.Context(), args(dir, "--show_progress"), &stdout, &stderr))
	require.Equal(t, map[string]string{
		"full/a.ome.tiff": "old", "alt/a-2.ome.tiff": "old", "full/a-3.ome.tiff.partial": "of another run",
		"full/a-4.ome.tiff": "new a", "alt/a-4.ome.tiff": "new a", "full/b.ome.tiff": "new b", "alt/b.ome.tiff": "new b",
	}, contents(t, dir))
	require.Equal(t, "1%\n3%\n", stderr.String())
	require.JSONEq(t, `[
		{"name": "a", "full_path": "`+dir+`/full/a-4.ome.tiff", "alt_path": "`+dir+`/alt/a-4.ome.tiff", "keyvalues": [{"size_x": 1}]},
		{"name": "b", "full_path": "`+dir+`/full/b.ome.tiff", "alt_path": "`+dir+`/alt/b.ome.tiff", "keyvalues": [{"size_x": 1}]}
	]`, stdout.String())
}

func TestRun_withoutAnotherFolderThereIsOneFile(t *testing.T) {
	t.Parallel()
	dir := folders(t)
	var stdout, stderr bytes.Buffer
	require.NoError(t, writer(nil, "a").Run(t.Context(), args(dir)[:4], &stdout, &stderr))
	require.Equal(t, map[string]string{"full/a.ome.tiff": "new a"}, contents(t, dir))
	require.Empty(t, stderr.String())
	require.JSONEq(t, `[{"name": "a", "full_path": "`+dir+`/full/a.ome.tiff", "keyvalues": [{"size_x": 1}]}]`, stdout.String())
}

func TestRun_leavesNothingWhereItFails(t *testing.T) {
	t.Parallel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, tc := range map[string]struct {
		ctx     context.Context //nolint:containedctx // a case of the table
		program converter.Program
		want    string
	}{
		"in converting":  {t.Context(), writer(errors.New("no"), "a", "b"), "converting x.tif: no"},
		"in a bad name":  {t.Context(), writer(nil, "a", "b/c"), "creating b/c.ome.tiff"},
		"in being ended": {stopped, writer(nil, "a", "b"), "completing a.ome.tiff: context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folders(t)
			var stdout, stderr bytes.Buffer
			err := tc.program.Run(tc.ctx, args(dir), &stdout, &stderr)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, contents(t, dir))
			require.Empty(t, stdout.String())
		})
	}
}

func TestRun_refusesCommandLines(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"none":                     {nil, "needs --inputfile and --outputfolder"},
		"no output":                {[]string{"--inputfile", "x"}, "needs --inputfile and --outputfolder"},
		"an unknown parameter":     {[]string{"--image_uuid", "1"}, "image_uuid"},
		"something else":           {[]string{"--inputfile", "x", "y"}, `"y", which belongs to no parameter`},
		"a number that is none":    {[]string{"--tilesize", "big"}, "tilesize"},
		"one folder for two":       {[]string{"--inputfile", "x", "--outputfolder", "a", "--altoutputfolder", "a/"}, "same folder"},
		"a folder that is missing": {[]string{"--inputfile", "x", "--outputfolder", "/nonexistent"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := writer(nil, "a")
			program.Flags = func(flags *flag.FlagSet) { flags.Int("tilesize", 1, "") }
			require.ErrorContains(t, program.Run(t.Context(), tc.args, &bytes.Buffer{}, &bytes.Buffer{}), tc.want)
		})
	}
}

func TestRun_saysWhatItTakes(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.NoError(t, writer(nil).Run(t.Context(), []string{"--help"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "-inputfile")
}

func TestStem(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"/data/x.tif": "x", "x.OME.TIFF": "x", "a.b.tiff": "a.b", "plates.tar.gz": "plates", "folder": "folder", ".tif": ".tif", "x.czi": "x.czi",
	} {
		require.Equal(t, want, converter.Stem(name))
	}
}
