package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plate-split")
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version=v1", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// run runs a program in a folder and returns its standard output and error.
func run(t *testing.T, dir, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out, wrong strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &wrong
	err = cmd.Run()
	return out.String(), wrong.String(), err
}

// outFiles are all that is in the folders for what comes out.
func outFiles(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, folder := range []string{".processed", "out"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		require.NoError(t, err)
		for _, entry := range entries {
			found = append(found, folder+"/"+entry.Name())
		}
	}
	return found
}

// makePlates writes the folder "plates" and archives of it.
func makePlates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script, err := filepath.Abs("testdata/make.py")
	require.NoError(t, err)
	_, wrong, err := run(t, dir, "/usr/bin/python3", script)
	require.NoError(t, err, wrong)
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".processed"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	return dir
}

func TestConvert_makesAnOMETIFFOfEachPlate(t *testing.T) {
	t.Parallel()
	program := build(t)
	script, err := filepath.Abs("testdata/check.py")
	require.NoError(t, err)
	for _, input := range []string{"plates", "plates.zip", "plates.tar", "plates.tar.gz"} {
		t.Run(input, func(t *testing.T) {
			t.Parallel()
			dir := makePlates(t)
			stdout, stderr, err := run(t, dir, program, "--inputfile", input, "--outputfolder", ".processed", "--altoutputfolder", "out")
			require.NoError(t, err, stderr)
			require.JSONEq(t, `[
				{"name": "one", "full_path": ".processed/one.ome.tiff", "alt_path": "out/one.ome.tiff", "keyvalues": [{
					"wells": 2, "images": 3, "planes": 18, "size_x": 50, "size_y": 40, "pixel_type": "uint16",
					"channel_mins": [1000, 2000], "channel_maxs": [3999, 4999], "software": "plate-split", "software_version": "v1"}]},
				{"name": "two", "full_path": ".processed/two.ome.tiff", "alt_path": "out/two.ome.tiff", "keyvalues": [{
					"wells": 1, "images": 1, "planes": 1, "size_x": 600, "size_y": 40, "pixel_type": "uint8",
					"channel_mins": [0, 0, 0], "channel_maxs": [255, 255, 255], "software": "plate-split", "software_version": "v1"}]}
			]`, stdout)
			require.Equal(t, []string{".processed/one.ome.tiff", ".processed/two.ome.tiff", "out/one.ome.tiff", "out/two.ome.tiff"}, outFiles(t, dir))
			said, wrong, err := run(t, dir, "/usr/bin/python3", script, "out/one.ome.tiff", ".processed/two.ome.tiff")
			require.NoError(t, err, wrong)
			require.JSONEq(t, `[
				{"plate": ["one", "8", "12"], "wells": [["0", "0", [0, 1]], ["1", "10", [2]]], "images": [
					["A01 field 1", "CZYX", [2, 3, 40, 50], true, ["w1", "w2"]],
					["A01 field 2", "CZYX", [2, 3, 40, 50], true, ["w1", "w2"]],
					["B11 field 1", "CZYX", [2, 3, 40, 50], true, ["w1", "w2"]]]},
				{"plate": ["two", "2", "3"], "wells": [["1", "2", [0]]], "images": [
					["B03 field 1", "YXS", [40, 600, 3], true, [null]]]}
			]`, said)
		})
	}
}

func TestConvert_failsWithASentenceAndWithoutAFile(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, tc := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"a file of no well": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "plates", "overview.tif"), nil, 0o600) },
			"converting plates: overview.tif is not named by a well, as A01_s1_w1.tif is\n",
		},
		"a broken image in the last plate": {
			func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "plates", "zz_A01.tif"), []byte("MM"), 0o600)
			},
			"converting plates: zz_A01.tif: it is no TIFF file: it is too short\n",
		},
		"an image of another size": {
			func(dir string) error {
				return os.Rename(filepath.Join(dir, "plates", "two", "B03.tif"), filepath.Join(dir, "plates", "one", "C03_s1_w1.tif"))
			},
			"one/C03_s1_w1.tif has another size or other samples than one/A01_s1_w1.tif\n",
		},
		"a link": {
			func(dir string) error { return os.Symlink("B03.tif", filepath.Join(dir, "plates", "two", "B04.tif")) },
			"converting plates: two/B04.tif is no regular file\n",
		},
		"nothing": {
			func(dir string) error {
				return errors.Join(os.RemoveAll(filepath.Join(dir, "plates", "one")), os.RemoveAll(filepath.Join(dir, "plates", "two")))
			},
			"converting plates: it holds no TIFF file\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := makePlates(t)
			require.NoError(t, tc.change(dir))
			stdout, stderr, err := run(t, dir, program, "--inputfile", "plates", "--outputfolder", ".processed", "--altoutputfolder", "out")
			require.Error(t, err)
			require.Contains(t, stderr, tc.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"))
			require.Empty(t, stdout)
			require.Empty(t, outFiles(t, dir))
		})
	}
}

// The answer is the last line also where percentages were asked for.
func TestConvert_showsProgress(t *testing.T) {
	t.Parallel()
	dir := makePlates(t)
	stdout, stderr, err := run(t, dir, build(t), "--inputfile", "plates.zip", "--outputfolder", ".processed", "--show_progress")
	require.NoError(t, err, stderr)
	require.True(t, strings.HasSuffix(stderr, "\n99%\n100%\n"), stderr)
	require.True(t, json.Valid([]byte(stdout)))
}
