package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// tarOf makes an archive of entries without content.
func tarOf(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, h := range headers {
		require.NoError(tb, w.WriteHeader(&h))
	}
	require.NoError(tb, w.Close())
	return data.Bytes()
}

// zipOf makes an archive of files with that content.
func zipOf(tb testing.TB, content []byte, headers ...zip.FileHeader) []byte {
	tb.Helper()
	var data bytes.Buffer
	w := zip.NewWriter(&data)
	for _, h := range headers {
		h.Method = zip.Deflate
		f, err := w.CreateHeader(&h)
		require.NoError(tb, err)
		_, err = f.Write(content)
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return data.Bytes()
}

func gzipped(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var data bytes.Buffer
	w := gzip.NewWriter(&data)
	_, err := w.Write(content)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return data.Bytes()
}

// extractFrom extracts an archive and returns the names, once it is sure that
// nothing but numbered files came of it.
func extractFrom(tb testing.TB, data []byte) ([]string, error) {
	tb.Helper()
	dir := tb.TempDir()
	archive, to := filepath.Join(dir, "archive"), filepath.Join(dir, "to")
	require.NoError(tb, os.Mkdir(to, 0o755))
	require.NoError(tb, os.WriteFile(archive, data, 0o600))
	files, err := extract(tb.Context(), archive, to)
	entries, listErr := os.ReadDir(dir)
	require.NoError(tb, listErr)
	require.Len(tb, entries, 2)
	var names []string
	for _, f := range files {
		require.Equal(tb, to, filepath.Dir(f.path))
		names = append(names, f.name)
	}
	return names, err
}

func TestExtract_takesTheImages(t *testing.T) {
	t.Parallel()
	headers := []tar.Header{
		{Name: "p/", Typeflag: tar.TypeDir},
		{Name: "p/A01.tif", Typeflag: tar.TypeReg},
		{Name: "p/notes.txt", Typeflag: tar.TypeReg},
		{Name: "p/._A01.tif", Typeflag: tar.TypeReg},
		{Name: "__MACOSX/p/A01.tif", Typeflag: tar.TypeReg},
		{Name: "./A02.TIFF", Typeflag: tar.TypeReg},
	}
	plain := tarOf(t, headers...)
	for name, data := range map[string][]byte{
		"tar": plain, "tar.gz": gzipped(t, plain),
		"zip": zipOf(t, []byte("x"), zip.FileHeader{Name: "p/A01.tif"}, zip.FileHeader{Name: "p/notes.txt"}, zip.FileHeader{Name: "A02.TIFF"}),
	} {
		got, err := extractFrom(t, data)
		require.NoError(t, err, name)
		require.Equal(t, []string{"p/A01.tif", "A02.TIFF"}, got, name)
	}
}

func TestExtract_refuses(t *testing.T) {
	t.Parallel()
	link := zip.FileHeader{Name: "A01.tif"}
	link.SetMode(os.ModeSymlink | 0o777)
	good := tar.Header{Name: "A01.tif", Typeflag: tar.TypeReg}
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":             {nil, "no folder and no archive"},
		"text":                {[]byte("A01.tif"), "no folder and no archive"},
		"gzip of text":        {gzipped(t, []byte("A01.tif")), "as a tar archive"},
		"half a zip":          {zipOf(t, nil, zip.FileHeader{Name: "A01.tif"})[:40], "list of files"},
		"a path upwards":      {tarOf(t, tar.Header{Name: "../A01.tif", Typeflag: tar.TypeReg}), `"../A01.tif", which is not inside`},
		"a path from the top": {tarOf(t, tar.Header{Name: "/etc/A01.tif", Typeflag: tar.TypeReg}), "not inside"},
		"zip slip":            {zipOf(t, nil, zip.FileHeader{Name: "p/../../A01.tif"}), "not inside"},
		"Windows zip slip":    {zipOf(t, nil, zip.FileHeader{Name: `..\A01.tif`}), "not inside"},
		"a symbolic link":     {tarOf(t, good, tar.Header{Name: "B01.tif", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), "link or a device"},
		"a hard link":         {tarOf(t, good, tar.Header{Name: "B01.tif", Linkname: "A01.tif", Typeflag: tar.TypeLink}), "link or a device"},
		"a device":            {tarOf(t, tar.Header{Name: "zero", Typeflag: tar.TypeChar}), "link or a device"},
		"a link in a zip":     {zipOf(t, []byte("/etc/passwd"), link), "link or a device"},
		"too many files":      {tarOf(t, slices.Repeat([]tar.Header{{Name: "a.txt", Typeflag: tar.TypeReg}}, maxFiles+1)...), "more than 100000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := extractFrom(t, tc.data)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestExtract_refusesBombs(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 1<<20)
	for name, data := range map[string][]byte{
		"in an image":     zipOf(t, zeros, zip.FileHeader{Name: "A01.tif"}),
		"in all of a tar": gzipped(t, tarAround(t, "A01.tif", zeros)),
		"in other files":  gzipped(t, tarAround(t, "notes.txt", zeros)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &extractor{dir: t.TempDir(), meter: meter{left: 1 << 19, alive: func() error { return nil }}}
			require.ErrorIs(t, x.take(bytes.NewReader(data), int64(len(data))), errBomb)
		})
	}
}

func tarAround(tb testing.TB, name string, content []byte) []byte {
	tb.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	require.NoError(tb, w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Typeflag: tar.TypeReg}))
	_, err := w.Write(content)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return data.Bytes()
}

func FuzzExtract(f *testing.F) {
	f.Add(zipOf(f, []byte("x"), zip.FileHeader{Name: "p/A01.tif"}))
	f.Add(tarAround(f, "A01.tif", []byte("x")))
	f.Add(gzipped(f, tarAround(f, "A01.tif", []byte("x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := extractFrom(t, data)
		if err == nil {
			_, _ = sortPlates(filesOf(names), "fuzz")
		}
	})
}

func filesOf(names []string) []file {
	var files []file
	for _, name := range names {
		files = append(files, file{name: name})
	}
	return files
}
