package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// layouts are what instruments and their programs write, every file ten bytes,
// and what of it are drops, with the number of files in each.
var layouts = map[string]struct {
	files []string
	drops map[string]int
}{
	"cellSens": {
		files: []string{"Scan_01.vsi", "_Scan_01_/stack1/frame_t.ets", "_Scan_01_/stack10001/frame_t_0.ets", "Scan_02.VSI", "_Scan_02_/stack1/frame_t.ets", "overview.tif"},
		drops: map[string]int{"Scan_01.vsi": 3, "Scan_02.VSI": 2, "overview.tif": 1},
	},
	"MIRAX": {
		files: []string{"CMU-1.mrxs", "CMU-1/Slidedat.ini", "CMU-1/Index.dat", "CMU-1/Data0000.dat", "CMU-1/Data0001.dat", "CMU-1-label.jpg"},
		drops: map[string]int{"CMU-1.mrxs": 5, "CMU-1-label.jpg": 1},
	},
	"LAS X": {
		files: []string{
			"Project.xlef", "Metadata/Image001.xlif", "Metadata/Collection.xlcf", "Image001.lof", "Image002/Image002_s00.tif",
			"Image002/Metadata/Image002.xlif", "other/foreign.tif", "other/deeper/foreign.czi", "beside.czi",
		},
		drops: map[string]int{"Project.xlef": 6, "other/foreign.tif": 1, "other/deeper/foreign.czi": 1, "beside.czi": 1},
	},
	"LOF alone":    {files: []string{"Image001.lof", "Image002.lof"}, drops: map[string]int{"Image001.lof": 1, "Image002.lof": 1}},
	"MetaMorph":    {files: []string{"exp.nd", "exp_w1DAPI_s1_t1.TIF", "exp_w2GFP_s1_t1.stk", "exp_thumb.txt", "expo_w1.TIF"}, drops: map[string]int{"exp.nd": 3, "exp_thumb.txt": 1, "expo_w1.TIF": 1}},
	"MetaXpress":   {files: []string{"plate.HTD", "plate_A01_s1_w1.TIF", "plate_A01_s1_w1_thumb.TIF", "TimePoint_1/plate_B02_s1_w1.TIF", "free.tif"}, drops: map[string]int{"plate.HTD": 4, "free.tif": 1}},
	"Operetta":     {files: []string{"Images/Index.idx.xml", "Images/r01c01f01p01-ch1sk1fk1fl1.tiff", "Images/r01c01f01p01-ch2sk1fk1fl1.tiff", "Assaylayout/layout.xml"}, drops: map[string]int{"Images/Index.idx.xml": 3, "Assaylayout/layout.xml": 1}},
	"CellReporter": {files: []string{"run/experiment.db", "run/images-0.db", "run/images-1.db", "run/thumbs/t.png", "other.tif"}, drops: map[string]int{"run/experiment.db": 4, "other.tif": 1}},
	"Zarr v2":      {files: []string{"a.ome.zarr/.zgroup", "a.ome.zarr/.zattrs", "a.ome.zarr/0/.zarray", "a.ome.zarr/0/0/0/0", "a.ome.zarr/labels/.zgroup", "a.ome.zarr/labels/cells.zarr/.zgroup"}, drops: map[string]int{"a.ome.zarr": 6}},
	"Zarr v3":      {files: []string{"b.zarr/zarr.json", "b.zarr/0/zarr.json", "b.zarr/0/c/0/0/0"}, drops: map[string]int{"b.zarr": 3}},
	"two formats":  {files: []string{"x.vsi", "_x_/stack1/frame_t.ets", "x.nd", "x_w1.tif", "x.mrxs", "x/Slidedat.ini"}, drops: map[string]int{"x.vsi": 2, "x.nd": 2, "x.mrxs": 2}},
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		for _, when := range []string{"before", "after"} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				box := newInbox()
				opts := Options{Rules: []Rule{{Path: dir, Settle: 500 * time.Millisecond, ScanInterval: 50 * time.Millisecond, Exclude: []string{"fence"}, Control: []string{"fence"}}}, FullScan: 200 * time.Millisecond}
				if when == "after" {
					start(t, box, opts)
				}
				for _, f := range layout.files {
					write(t, dir+"/"+f, "0123456789")
				}
				if when == "before" {
					start(t, box, opts)
				}
				expectDrops(t, box, dir, layout.drops)
				fence(t, box, dir+"/fence")
				require.Len(t, box.all(), len(layout.drops)+1)
			})
		}
	}
}

func expectDrops(t *testing.T, box *inbox, dir string, want map[string]int) {
	t.Helper()
	for path, files := range want {
		d := box.waitFor(t, dir+"/"+path)
		require.EqualValues(t, 10*files, d.Size, path)
		require.NotZero(t, d.Mark)
		require.Equal(t, strings.HasSuffix(path, ".zarr"), d.IsDir)
		require.Equal(t, files > 1, d.Shape != 0, path)
		base := d.Path
		if !d.IsDir {
			base = filepath.Dir(d.Path)
		}
		require.Equal(t, files > 1, len(d.Samples) > 0)
		for _, s := range d.Samples {
			require.FileExists(t, filepath.Join(base, s))
		}
	}
}

// Whatever part comes first, and however much later the rest, it is one drop.
func TestLateParts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ first, then []string }{
		"VSI without its folder":            {[]string{"a.vsi"}, []string{"_a_/stack1/frame_t.ets"}},
		"folder without its VSI":            {[]string{"_a_/stack1/frame_t.ets"}, []string{"a.vsi"}},
		"MRXS without its folder":           {[]string{"a.mrxs"}, []string{"a/Slidedat.ini", "a/Data0000.dat"}},
		"folder without its MRXS":           {[]string{"a/Data0000.dat", "a/Slidedat.ini"}, []string{"a.mrxs"}},
		"ND without its planes":             {[]string{"a.nd"}, []string{"a_w1.TIF", "a_w2.TIF"}},
		"XLEF without its images":           {[]string{"a.xlef"}, []string{"a/Metadata/i.xlif", "a/i.lof"}},
		"index without its images":          {[]string{"a/Index.idx.xml"}, []string{"a/r01c01.tiff"}},
		"companion without its TIFFs":       {[]string{"a.companion.ome"}, []string{"a_0.ome.tif", "a_1.ome.tiff"}},
		"TIFFs of a companion, one missing": {[]string{"a.companion.ome", "a_0.ome.tif"}, []string{"a_1.ome.tiff"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			box := newInbox()
			start(t, box, Options{Rules: []Rule{{Path: dir, Settle: 200 * time.Millisecond, Control: []string{"fence*"}}}})
			put := func(files []string) {
				for _, f := range files {
					text := "0123456789"
					if strings.HasSuffix(f, ".companion.ome") {
						text = companionXML("a_0.ome.tif", "a_1.ome.tiff")
					}
					write(t, dir+"/"+f, text)
				}
			}
			put(tc.first)
			for i := range 3 { // each takes longer than the quiet time, which is over by then
				fence(t, box, fmt.Sprintf("%s/fence%d", dir, i))
			}
			require.Len(t, box.all(), 3, "%s", box.paths())
			put(tc.then)
			all := box.wait(t, 4)
			fence(t, box, dir+"/fence")
			require.Len(t, box.all(), 5, "%s", box.paths())
			require.NotZero(t, all[3].Shape)
			require.Contains(t, append(tc.first, tc.then...), strings.TrimPrefix(all[3].Path, dir+"/"))
		})
	}
}

func companionXML(names ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0">`)
	for i, name := range names {
		fmt.Fprintf(&b, `<TiffData FirstZ="%d"><UUID FileName="%s">urn:uuid:%d</UUID></TiffData>`, i, name, i)
	}
	b.WriteString(`</Pixels></Image></OME>`)
	return b.String()
}

// A companion file claims the TIFFs that it names and no others.
func TestCompanionClaimsWhatItNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/set.companion.ome", companionXML("plane.ome.tif", "../set.ome.tif"))
	for _, f := range []string{"plane.ome.tif", "set.ome.tif", "broken.companion.ome"} {
		write(t, dir+"/"+f, "0123456789")
	}
	box := newInbox()
	start(t, box, rules(dir))
	require.EqualValues(t, 10, box.waitFor(t, dir+"/set.ome.tif").Size)
	require.Greater(t, box.waitFor(t, dir+"/set.companion.ome").Size, int64(10))
	require.Zero(t, box.waitFor(t, dir+"/broken.companion.ome").Size-10, "alone, for the import to refuse")
	fence(t, box, dir+"/fence")
	require.Len(t, box.all(), 4)
}

// With another unit, or where only other names are wanted, files stand for themselves.
func TestFormatsAreForWantedMainFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a.nd", "x")
	plane := write(t, dir+"/a_w1.tif", "x")
	for _, opts := range []Options{
		{Rules: []Rule{{Path: dir, Settle: settle, Include: []string{"*.tif"}}}},
		{Rules: []Rule{{Path: dir, Settle: settle, Unit: File}}},
	} {
		box := newInbox()
		stop := startStop(t, box, opts)
		box.waitFor(t, plane)
		stop()
	}
}

// Without its main file, what was a companion is a drop of its own.
func TestCompanionsOutliveTheirMainFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, rules(dir))
	plane := write(t, dir+"/a_w1.tif", "x")
	main := write(t, dir+"/a.nd", "x")
	box.waitFor(t, main)
	require.NoError(t, os.Remove(main))
	box.waitFor(t, plane)
	require.Len(t, box.all(), 2)
}

func FuzzCompanion(f *testing.F) {
	f.Add(companionXML("a.ome.tif", "b.ome.tif"))
	f.Add(`<OME><UUID FileName="../x"/><UUID FileName="">`)
	f.Add("\xff\x00<UUID FileName='x'")
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := decodeCompanion(strings.NewReader(text))
		for name := range names {
			require.NotEmpty(t, name)
			require.NotContains(t, name, "/")
			require.LessOrEqual(t, len(name), len(text))
		}
	})
}

// The more of a unit's files are there, the samples are the same in any copy.
func TestSamplesAreTheSameInACopy(t *testing.T) {
	t.Parallel()
	var forth, back samples
	for i := range 1000 {
		forth.add(uint64(i*7919%1000), "d/", strconv.Itoa(i))
		j := 999 - i
		back.add(uint64(j*7919%1000), "d/", strconv.Itoa(j))
	}
	require.Len(t, forth, maxSamples)
	require.Equal(t, forth, back)
}
