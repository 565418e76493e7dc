package preview_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/preview"
	"biomero-importer/agent/sample"
	"biomero-importer/importer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maker makes pictures of what lies in a folder of the test, its share.
func maker(t *testing.T, size int64) (m *preview.Maker, share, kept string) {
	t.Helper()
	share, kept = t.TempDir(), filepath.Join(t.TempDir(), "previews")
	opened, err := importer.OpenShare(share)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	m, err = preview.Open(kept, size, opened)
	require.NoError(t, err)
	return m, share, kept
}

// picture is the picture of a file, nil where there is none.
func picture(t *testing.T, m *preview.Maker, path string) image.Image {
	t.Helper()
	data, tag, err := m.Get(t.Context(), path)
	require.NoError(t, err)
	require.NotEmpty(t, tag)
	if data == nil {
		return nil
	}
	drawn, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.LessOrEqual(t, max(drawn.Bounds().Dx(), drawn.Bounds().Dy()), 192)
	return drawn
}

const roomy = 10 << 20

func TestGet_ofWhatTheSampleWrites(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	stack := sample.Stack{Name: "cells", Width: 300, Height: 200, Planes: 3, Channels: 2, Seed: 7}
	require.NoError(t, sample.WriteTIFF(filepath.Join(share, "a.ome.tif"), stack))
	require.NoError(t, sample.WriteOMEZarr(filepath.Join(share, "a.ome.zarr"), stack))
	for _, name := range []string{"a.ome.tif", "a.ome.zarr"} {
		drawn := picture(t, m, filepath.Join(share, name))
		require.NotNil(t, drawn, name)
		require.Equal(t, 2*drawn.Bounds().Dx(), 3*drawn.Bounds().Dy(), name)
		require.True(t, varied(drawn), name)
	}
}

// varied reports whether a picture has dark and bright parts.
func varied(p image.Image) bool {
	low, high := uint32(1<<16), uint32(0)
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() {
			r, g, b, _ := p.At(x, y).RGBA()
			low, high = min(low, r+g+b), max(high, r+g+b)
		}
	}
	return high > low+1<<15
}

// Files that tifffile, libtiff and Pillow wrote: strips, tiles, every compression.
func TestGet_ofTIFFsOfOthers(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	found, err := filepath.Glob("../../preprocess/tiff/testdata/*.tif")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, path := range found {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(share, filepath.Base(path)), data, 0o600))
		require.NotNil(t, picture(t, m, filepath.Join(share, filepath.Base(path))), path)
	}
}

// The smallest version that will do is read, and not what it was made of.
func TestGet_ofAPyramidReadsASmallVersion(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	path := filepath.Join(share, "pyramid.tif")
	python(t, `
import numpy, sys, tifffile
with tifffile.TiffWriter(sys.argv[1]) as w:
    w.write(numpy.zeros((2048, 2048), 'uint16'), subifds=2, tile=(256, 256), compression='zlib')
    w.write(numpy.zeros((1024, 1024), 'uint16'), subfiletype=1, tile=(256, 256), compression='zlib')
    w.write(numpy.tile(numpy.arange(256, dtype='uint16'), (256, 1)), subfiletype=1, tile=(256, 256), compression='zlib')
`, path)
	require.True(t, varied(picture(t, m, path)))
}

func python(t *testing.T, script string, args ...string) {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// Zarr's own library writes each codec, type and layout that is read, and one that is not.
func TestGet_ofZarrsOfOthers(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	python(t, `
import json, os, sys, numpy, zarr
from numcodecs import Blosc, GZip, LZ4, Zlib, Zstd, BZ2
def write(name, compressor, dtype='<u2', separator='/', chunks=(1, 1, 100, 130), order='C', dims='.0'):
    g = zarr.open_group(zarr.NestedDirectoryStore(name) if separator == '/' else zarr.DirectoryStore(name), mode='w')
    ramp = (numpy.arange(300)[None, :] * 100 + numpy.arange(200)[:, None]).astype(dtype)
    data = numpy.stack([ramp, ramp[:, ::-1]])[:, None]
    g.create_dataset('0', data=data, chunks=chunks, compressor=compressor, dimension_separator=separator, order=order)
    g.attrs['multiscales'] = [{'version': '0.4', 'axes': [{'name': n} for n in 'czyx'], 'datasets': [{'path': '0'}]}]
    g.attrs['omero'] = {'channels': [{'color': 'FF0000'}, {'color': '00FF00', 'active': False}]}
os.chdir(sys.argv[1])
write('none.zarr', None)
write('zlib.zarr', Zlib())
write('gzip.zarr', GZip())
write('zstd.zarr', Zstd())
write('lz4.zarr', LZ4())
write('dots.zarr', Zlib(), separator='.')
write('big.zarr', Zlib(), dtype='>u2')
write('float.zarr', Zstd(), dtype='<f4')
write('whole.zarr', Zstd(), chunks=(2, 1, 200, 300))
for cname in 'lz4', 'lz4hc', 'zlib', 'zstd':
    for shuffle in 0, 1:
        write('blosc-%s-%d.zarr' % (cname, shuffle), Blosc(cname=cname, shuffle=shuffle))
write('blosc-blocks.zarr', Blosc(cname='lz4', shuffle=1, blocksize=4096))
write('blosc-random.zarr', Blosc(cname='lz4', clevel=0))
write('not-bz2.zarr', BZ2())
write('not-fortran.zarr', Zlib(), order='F')
write('not-blosclz.zarr', Blosc(cname='blosclz'))
write('not-bits.zarr', Blosc(cname='lz4', shuffle=2))
`, share)
	found, err := filepath.Glob(filepath.Join(share, "*.zarr"))
	require.NoError(t, err)
	require.Len(t, found, 23)
	for _, path := range found {
		drawn := picture(t, m, path)
		if strings.HasPrefix(filepath.Base(path), "not-") {
			require.Nil(t, drawn, path)
			continue
		}
		require.NotNil(t, drawn, path)
		require.Equal(t, []int{192, 128}, []int{drawn.Bounds().Dx(), drawn.Bounds().Dy()}, path)
		// Red, and brighter to the right.
		dark, _, _, _ := drawn.At(5, 64).RGBA()
		bright, green, _, _ := drawn.At(186, 64).RGBA()
		require.Less(t, dark, uint32(0x2000), path)
		require.Greater(t, bright, uint32(0xd000), path)
		require.Less(t, green, uint32(0x2000), path)
	}
}

// Version 3, of which Debian has no writer.
func TestGet_ofZarr3(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	write := func(name, content string) {
		path := filepath.Join(share, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	plate := func(dir string) {
		write(dir+"/zarr.json", `{"attributes": {"ome": {"multiscales": [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "s0"}]}]}}}`)
		write(dir+"/s0/zarr.json", `{"shape": [2, 4], "data_type": "uint8", "fill_value": 0, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 2]}},
			"chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes"}]}`)
		write(dir+"/s0/c/0/1", "\xff\xff\xff\xff")
	}
	plate("image.zarr")
	write("plate.zarr/zarr.json", `{"attributes": {"ome": {"plate": {"wells": [{"path": "A/1"}]}}}}`)
	write("plate.zarr/A/1/zarr.json", `{"attributes": {"ome": {"well": {"images": [{"path": "0"}]}}}}`)
	plate("plate.zarr/A/1/0")
	for _, name := range []string{"image.zarr", "plate.zarr"} {
		drawn := picture(t, m, filepath.Join(share, name))
		require.NotNil(t, drawn, name)
		require.Equal(t, 4, drawn.Bounds().Dx())
		require.True(t, varied(drawn), name)
	}
}

func TestGet_ofWhatIsHostileIsNone(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	secret := filepath.Join(t.TempDir(), "secret.tif")
	require.NoError(t, sample.WriteTIFF(secret, sample.Stack{Name: "s", Width: 64, Height: 64, Planes: 1, Channels: 1}))
	zarr := func(name, array string) {
		dir := filepath.Join(share, name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "0"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".zattrs"), []byte(`{"multiscales": [{"datasets": [{"path": "0"}]}]}`), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "0", ".zarray"), []byte(array), 0o600))
	}
	array := func(shape, chunks string) string {
		return fmt.Sprintf(`{"shape": %s, "chunks": %s, "dtype": "<u2", "order": "C", "compressor": null, "fill_value": 0}`, shape, chunks)
	}
	zarr("huge.zarr", array("[100000, 100000]", "[100000, 100000]"))
	zarr("overflow.zarr", array("[4, 4]", "[4294967296, 4294967297]"))
	zarr("crumbs.zarr", array("[4096, 4096]", "[1, 1]"))
	zarr("negative.zarr", array("[-1, 4]", "[1, 4]"))
	zarr("flat.zarr", array("[4]", "[4]"))
	zarr("uneven.zarr", array("[4, 4]", "[4]"))
	zarr("not-json.zarr", "{")
	zarr("pipe.zarr", array("[4, 4]", "[4, 4]"))
	require.NoError(t, syscall.Mkfifo(filepath.Join(share, "pipe.zarr/0/0.0"), 0o600))
	zarr("out.zarr", array("[4, 4]", "[4, 4]"))
	require.NoError(t, os.Symlink(secret, filepath.Join(share, "out.zarr/0/0.0")))
	require.NoError(t, os.Mkdir(filepath.Join(share, "parent.zarr"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(share, "parent.zarr/.zattrs"), []byte(`{"multiscales": [{"datasets": [{"path": "../huge.zarr/0"}]}]}`), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(share, "loop.zarr"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(share, "loop.zarr/.zattrs"), []byte(`{"plate": {"wells": [{"path": "."}]}}`), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(share, "link.tif")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(share, "pipe.tif"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(share, "text.tif"), []byte("no TIFF at all"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(share, "empty.tif"), nil, 0o600))
	cut, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(share, "cut.tif"), cut[:len(cut)/2], 0o600))
	found, err := os.ReadDir(share)
	require.NoError(t, err)
	for _, f := range found {
		require.Nil(t, picture(t, m, filepath.Join(share, f.Name())), f.Name())
	}
	for _, path := range []string{secret, filepath.Join(share, "absent.tif"), share + "/../" + filepath.Base(share) + "/cut.tif", "relative.tif"} {
		require.Nil(t, picture(t, m, path), path)
	}
}

func TestGet_keepsWhatItMadeUntilTheFileChanges(t *testing.T) {
	t.Parallel()
	m, share, kept := maker(t, roomy)
	path := filepath.Join(share, "a.tif")
	write := func(seed uint64) {
		require.NoError(t, sample.WriteTIFF(path, sample.Stack{Name: "a", Width: 64 + int(seed), Height: 64, Planes: 1, Channels: 1, Seed: seed}))
	}
	write(1)
	first, tag, err := m.Get(t.Context(), path)
	require.NoError(t, err)
	again, same, err := m.Get(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, tag, same)
	require.Equal(t, first, again)
	write(2)
	_, other, err := m.Get(t.Context(), path)
	require.NoError(t, err)
	require.NotEqual(t, tag, other)
	files, err := os.ReadDir(kept)
	require.NoError(t, err)
	require.Len(t, files, 2)
}

// What is kept stays within its bound, also over a start, and what was used last stays.
func TestGet_forgetsWhatWasNotUsedForLongest(t *testing.T) {
	t.Parallel()
	const size = 60 << 10
	m, share, kept := maker(t, size)
	var paths []string
	for i := range 20 {
		paths = append(paths, filepath.Join(share, fmt.Sprintf("%d.tif", i)))
		require.NoError(t, sample.WriteTIFF(paths[i], sample.Stack{Name: "a", Width: 64, Height: 64, Planes: 1, Channels: 1, Seed: uint64(i)}))
	}
	var favourite string
	for _, path := range paths {
		require.NotNil(t, picture(t, m, path))
		_, favourite, _ = m.Get(t.Context(), paths[0])
	}
	sum := int64(0)
	files, err := os.ReadDir(kept)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		sum += info.Size()
	}
	require.LessOrEqual(t, sum, int64(size))
	require.Less(t, len(files), 20)
	require.FileExists(t, filepath.Join(kept, favourite+".jpg"))

	require.NoError(t, os.WriteFile(filepath.Join(kept, "new123"), []byte("left by a crash"), 0o600))
	opened, err := importer.OpenShare(share)
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	_, err = preview.Open(kept, size/2, opened)
	require.NoError(t, err)
	fewer, err := os.ReadDir(kept)
	require.NoError(t, err)
	require.Less(t, len(fewer), len(files))
	require.NoFileExists(t, filepath.Join(kept, "new123"))
}

func TestGet_ofManyAtOnce(t *testing.T) {
	t.Parallel()
	m, share, _ := maker(t, roomy)
	path := filepath.Join(share, "a.tif")
	require.NoError(t, sample.WriteTIFF(path, sample.Stack{Name: "a", Width: 64, Height: 64, Planes: 1, Channels: 1}))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			data, _, err := m.Get(t.Context(), path)
			if err != nil || data == nil {
				t.Errorf("no picture: %v", err)
			}
		})
	}
	all.Wait()
}
