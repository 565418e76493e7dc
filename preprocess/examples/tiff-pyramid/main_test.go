package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// python has the modules of Debian's packages.
const python = "/usr/bin/python3"

// output runs a program and returns its standard output.
func output(t *testing.T, stdin, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s: %s", name, args, &stderr)
	return out
}

// build makes the program as its image has it.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tiff-pyramid")
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version=v1", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// answer is the last line of a converter's standard output.
type answer []struct {
	Name      string `json:"name"`
	FullPath  string `json:"full_path"`
	AltPath   string `json:"alt_path"`
	Keyvalues []struct {
		SizeX           int    `json:"size_x"`
		SizeY           int    `json:"size_y"`
		SizeZ           int    `json:"size_z"`
		SizeC           int    `json:"size_c"`
		SizeT           int    `json:"size_t"`
		Levels          int    `json:"levels"`
		PixelType       string `json:"pixel_type"`
		ChannelMins     []int  `json:"channel_mins"`
		ChannelMaxs     []int  `json:"channel_maxs"`
		Software        string `json:"software"`
		SoftwareVersion string `json:"software_version"`
	} `json:"keyvalues"`
}

// seen is what others see in a result.
type seen struct {
	IsOME       bool      `json:"is_ome"`
	IsBig       bool      `json:"is_big"`
	Axes        string    `json:"axes"`
	Shape       []int     `json:"shape"`
	Levels      [][]int   `json:"levels"`
	Exact       bool      `json:"exact"`
	Tile        []int     `json:"tile"`
	Photometric string    `json:"photometric"`
	Order       string    `json:"order"`
	SizeX       string    `json:"size_x"`
	Channels    []string  `json:"channels"`
	Errors      []float64 `json:"errors"`
	Pillow      *bool     `json:"pillow"`
}

// Every way to store a kind of image gives the same pyramid.
func TestConvert(t *testing.T) {
	t.Parallel()
	program, dir := build(t), t.TempDir()
	output(t, "", python, "testdata/make.py", dir)
	for _, folder := range []string{".processed", "out"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o755))
	}
	kinds := []struct {
		source string // that make.py writes
		axes   string
		shape  []int
		levels int // with tiles of 64
		stored []string
	}{
		{"grey8", "YX", []int{301, 203}, 4, []string{"", "-c lzw -r 7", "-c packbits", "-c zip:2 -t -w 64 -l 32", "-8 -B -c lzw:2 -t -w 16 -l 16"}},
		{"grey16", "YX", []int{301, 203}, 4, []string{"", "-c lzw", "-c lzw:2 -r 300", "-B -c zip:2", "-c packbits -r 1", "-8 -c zip -t -w 32 -l 512"}},
		{"white16", "YX", []int{70, 130}, 3, []string{"", "-B -c lzw"}},
		{"rgb8", "YXS", []int{130, 203, 3}, 3, []string{"", "-c lzw:2", "-p separate -c lzw", "-p separate -c zip:2 -t -w 48 -l 16", "-c packbits -B"}},
		{"rgb16", "YXS", []int{130, 203, 3}, 3, []string{"", "-B -8 -c lzw:2", "-c zip:2 -t -w 128 -l 128"}},
		{"rgba8", "YXS", []int{130, 203, 4}, 3, []string{"", "-c lzw:2"}},
		{"planar16", "YXS", []int{130, 203, 3}, 3, []string{""}},
		{"narrow8", "YX", []int{1000, 1}, 5, []string{"", "-c lzw:2"}},
		{"stack16", "TYX", []int{12, 100, 120}, 2, []string{"", "-B -c lzw:2", "-8 -c zip -t -w 16 -l 16"}},
		{"imagej16", "TZCYX", []int{2, 3, 2, 100, 120}, 2, []string{""}},
		{"ome16", "CTZYX", []int{2, 3, 2, 100, 120}, 2, []string{""}},
		{"sections8", "TYX", []int{2000, 16, 16}, 1, []string{""}},
	}
	results := map[string]answer{}
	var names []string
	var pairs strings.Builder
	for _, kind := range kinds {
		for i, how := range kind.stored {
			name := kind.source + string(rune('a'+i))
			input := filepath.Join(dir, name+".tif")
			if how == "" {
				require.NoError(t, os.Rename(filepath.Join(dir, kind.source+".tif"), input))
			} else {
				output(t, "", "tiffcp", append(strings.Fields(how), filepath.Join(dir, kind.source+"a.tif"), input)...)
			}
			lines := output(t, "", program, "--inputfile", input, "--tilesize", "64",
				"--outputfolder", filepath.Join(dir, ".processed"), "--altoutputfolder", filepath.Join(dir, "out"))
			var got answer
			require.NoError(t, json.Unmarshal(lines, &got))
			require.Len(t, got, 1)
			results[name] = got
			names = append(names, name)
			pairs.WriteString(got[0].AltPath + " " + filepath.Join(dir, kind.source+".npy") + "\n")
		}
	}
	var all []seen
	require.NoError(t, json.Unmarshal(output(t, pairs.String(), python, "testdata/check.py"), &all))
	require.Len(t, all, len(names))
	byName := map[string]seen{}
	for i, name := range names {
		byName[name] = all[i]
	}
	for _, kind := range kinds {
		for i, how := range kind.stored {
			name := kind.source + string(rune('a'+i))
			t.Run(kind.source+" "+how, func(t *testing.T) {
				t.Parallel()
				got := byName[name]
				require.True(t, got.IsOME)
				require.False(t, got.IsBig)
				require.Equal(t, kind.axes, got.Axes)
				require.Equal(t, kind.shape, got.Shape)
				require.True(t, got.Exact)
				require.True(t, got.Pillow == nil || *got.Pillow, "libtiff reads something else")
				require.Len(t, got.Levels, kind.levels)
				for n, wrong := range got.Errors {
					// Each level rounds the means of the one before.
					require.LessOrEqual(t, wrong, float64(n)/2, "level %d", n)
				}
				full, err := os.ReadFile(results[name][0].FullPath)
				require.NoError(t, err)
				alt, err := os.ReadFile(results[name][0].AltPath)
				require.NoError(t, err)
				require.Equal(t, full, alt)
			})
		}
	}
	require.Equal(t, "MINISWHITE", byName["white16a"].Photometric)
	require.Equal(t, []int{64, 64}, byName["grey8a"].Tile)
	require.Equal(t, []int{16, 16}, byName["sections8a"].Tile)
	require.Equal(t, []string{"DAPI", "GFP"}, byName["ome16a"].Channels)
	require.Equal(t, "0.25", byName["ome16a"].SizeX)
	facts := results["imagej16a"][0].Keyvalues[0]
	require.Equal(t, []int{120, 100, 3, 2, 2}, []int{facts.SizeX, facts.SizeY, facts.SizeZ, facts.SizeC, facts.SizeT})
	require.Equal(t, []any{2, "uint16", "tiff-pyramid", "v1"}, []any{facts.Levels, facts.PixelType, facts.Software, facts.SoftwareVersion})
	require.Len(t, facts.ChannelMins, 2)
	require.Len(t, facts.ChannelMaxs, 2)
}

func TestConvert_failsWithASentenceAndWithoutAFile(t *testing.T) {
	t.Parallel()
	program, dir := build(t), t.TempDir()
	output(t, "", python, "testdata/make.py", dir)
	whole, err := os.ReadFile(filepath.Join(dir, "rgb16.tif"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "short.tif"), whole[:len(whole)/2], 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.tif"), []byte("no image at all"), 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.tif"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	for name, tc := range map[string]struct{ file, tile, want string }{
		"cut short":       {"short.tif", "64", "converting short.tif: "},
		"no TIFF":         {"text.tif", "64", "converting text.tif: it is no TIFF file: it starts with neither II nor MM\n"},
		"a pipe":          {"pipe.tif", "64", "converting pipe.tif: it is no regular file\n"},
		"a folder":        {"out", "64", "converting out: it is no regular file\n"},
		"nothing":         {"none.tif", "64", "no such file or directory\n"},
		"tiles of no use": {"rgb16.tif", "65", "--tilesize 65 is no multiple of 16 from 16 to 8192\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program, "--inputfile", filepath.Join(dir, tc.file), "--outputfolder", filepath.Join(dir, "out"), "--tilesize", tc.tile)
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			require.Error(t, cmd.Run())
			require.Equal(t, 1, cmd.ProcessState.ExitCode())
			require.Contains(t, stderr.String(), tc.want)
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
			require.Empty(t, stdout.String())
			left, err := os.ReadDir(filepath.Join(dir, "out"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// An image of 200 MB passes through a fraction of that.
func TestConvert_holdsSomeRowsOnly(t *testing.T) {
	t.Parallel()
	program, dir := build(t), t.TempDir()
	input := filepath.Join(dir, "large.tif")
	output(t, "", python, "-c", `
import numpy, sys, tifffile
tifffile.imwrite(sys.argv[1], numpy.arange(10**8, dtype="u2").reshape(10**4, 10**4))`, input)
	cmd := exec.Command(program, "--inputfile", input, "--outputfolder", dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	require.Less(t, usage.Maxrss, int64(100<<10), "kilobytes")
}
