package web_test

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/preview"
	"biomero-importer/agent/sample"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
	"biomero-importer/importer"
)

var shots = flag.String("shots", "", "folder to write the README's pictures of the status page to")

// TestShots checks that the pictures in the README are there and small, and with -shots
// takes them anew.
func TestShots(t *testing.T) {
	t.Parallel()
	if *shots != "" {
		takeShots(t, *shots)
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, name := range []string{"orders.png", "order.png"} {
		picture, err := os.ReadFile(filepath.Join("shots", name))
		require.NoError(t, err)
		require.LessOrEqual(t, len(picture), 200_000)
		_, err = png.Decode(bytes.NewReader(picture))
		require.NoError(t, err, name)
		require.Contains(t, string(readme), "](agent/web/shots/"+name+")")
	}
}

func takeShots(t *testing.T, to string) {
	t.Helper()
	s := newSite(t)
	dir := t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, share.Close()) }()
	maker, err := preview.Open(t.TempDir(), 1<<20, share)
	require.NoError(t, err)
	path := func(name string) string { return filepath.Join(dir, name) }
	stack := sample.Stack{Name: "cells", Width: 512, Height: 384, Planes: 3, Channels: 3, Seed: 7}
	require.NoError(t, sample.WriteTIFF(path("section-1.ome.tif"), stack))
	require.NoError(t, sample.WriteOMEZarr(path("section-2.ome.zarr"), stack))
	for _, name := range []string{"retina-07.czi", "organoid-plate-3", "embryo-42.lif"} {
		s.ended("Imaging", "ada", "", path(name))
	}
	s.ended("Imaging", "bob", `1 of 2 files failed: the file "overview.tif" is empty.`, path("scan.tif"), path("overview.tif"))
	shown := s.ended("Imaging", "ada", "", path("section-1.ome.tif"), path("section-2.ome.zarr"))
	s.place("Screening", "eve", path("assay-2026-01/plate-1.zarr"), path("assay-2026-01/plate-2.zarr"), path("assay-2026-01/plate-9.zarr"))
	works := s.begin()
	require.NoError(t, s.SaveProgress(t.Context(), works[0].Job, tracking.Progress{
		Step: "importing", FilesDone: 12, FilesTotal: 40, BytesDone: 36e9, BytesTotal: 118e9, Began: time.Now().Add(-5 * time.Minute), Updated: time.Now(),
	}))
	s.place("Imaging", "bob", path("neurons-1.tif"), path("neurons-2.tif"))
	p := s.serve(browser(t), web.Options{Previews: maker, Images: "https://omero.example.org", Logs: t.TempDir()})
	shoot := func(name string, height int64) {
		p.run("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
		p.wait("[...document.querySelectorAll('img')].every(i => i.complete)")
		p.run(fmt.Sprintf("document.querySelectorAll('small').forEach(e => { e.textContent = e.textContent.replace(%q, '/data/Imaging/ada') })", dir))
		p.do(chromedp.EmulateViewport(1000, height))
		data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, name), data, 0o600))
	}
	p.open("/")
	shoot("orders.png", 640)
	p.open("/orders/" + shown)
	shoot("order.png", 760)
}
