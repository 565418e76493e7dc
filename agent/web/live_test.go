package web_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/preview"
	"biomero-importer/agent/sample"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
	"biomero-importer/importer"
)

// maxWeight is what a first visit may transfer, in bytes.
const maxWeight = 100_000

func TestBrowser(t *testing.T) { //nolint:tparallel // one browser for all
	t.Parallel()
	in := browser(t)
	for name, test := range map[string]func(s site, open func(web.Options) *tab){
		"list is live":           listIsLive,
		"order is live":          orderIsLive,
		"search":                 search,
		"retry asks first":       retryAsksFirst,
		"keyboard alone":         keyboardAlone,
		"phone":                  phone,
		"accessible, also dark":  accessible,
		"light":                  light,
		"previews":               previews,
		"charts":                 chartsAreDrawn,
		"events after a restart": eventsAfterARestart,
		"events in background":   eventsInBackground,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			test(s, func(o web.Options) *tab { return s.serve(in, o) })
		})
	}
}

func listIsLive(s site, open func(web.Options) *tab) {
	old := s.ended("Demo", "ada", "", "/data/old.tif")
	p := open(web.Options{})
	p.open("/")
	p.sees("old.tif")
	p.run("window.same = true") // gone if the page is loaded again
	s.place("Demo", "ada", "/data/new.tif")
	p.wait("document.querySelectorAll('.order').length === 2")
	p.wait("document.querySelector('.order .what').innerText === 'new.tif'")
	p.sees("1 waiting, 0 at work")
	works := s.begin()
	p.wait("document.querySelector('.order.working .what').innerText === 'new.tif'")
	begin := time.Now()
	require.NoError(s.t, s.SaveProgress(s.t.Context(), works[0].Job, tracking.Progress{
		Step: "importing", FilesDone: 1, FilesTotal: 4, BytesDone: 1e9, BytesTotal: 4e9, Began: begin.Add(-100 * time.Second), Updated: begin,
	}))
	p.sees("1 of 4 files · 1GB of 4GB · 10MB/s · about 5 minutes left")
	p.wait("document.querySelector('progress').value === 1e9")
	s.end(works, "")
	p.wait("document.querySelectorAll('.order.completed').length === 2")
	require.NoError(s.t, s.Retry(s.t.Context(), old, false))
	p.wait("document.querySelectorAll('.order.waiting').length === 1")
	require.Equal(s.t, "true 2", p.text("window.same + ' ' + document.querySelectorAll('.order').length"))

	p.open("/users/Demo/bob")
	s.place("Demo", "ada", "/data/adas.tif")
	s.place("Demo", "bob", "/data/bobs.tif")
	p.sees("bobs.tif")
	require.Equal(s.t, "1", p.text("document.querySelectorAll('.order').length"))
}

func orderIsLive(s site, open func(web.Options) *tab) {
	id := s.place("Demo", "ada", "/data/a.tif", "/data/b.tif")
	p := open(web.Options{Images: "https://omero.example.org"})
	p.open("/orders/" + id)
	p.sees("0 imported, 0 failed")
	works := s.begin()
	p.sees("Import Started")
	s.end(works, "The file is empty.")
	p.sees("1 imported, 1 failed")
	require.Equal(s.t, "https://omero.example.org/webclient/?show=image-100", p.text("document.querySelector('.links a').href"))
}

func previews(s site, open func(web.Options) *tab) {
	dir := s.t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, share.Close()) })
	maker, err := preview.Open(s.t.TempDir(), 1<<20, share)
	require.NoError(s.t, err)
	stack := sample.Stack{Name: "cells", Width: 300, Height: 200, Planes: 3, Channels: 2, Seed: 7}
	require.NoError(s.t, sample.WriteTIFF(filepath.Join(dir, "a.ome.tif"), stack))
	require.NoError(s.t, sample.WriteOMEZarr(filepath.Join(dir, "b.zarr"), stack))
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "c.tif"), []byte("no image"), 0o600))
	id := s.ended("Demo", "ada", "It is empty.", filepath.Join(dir, "a.ome.tif"), filepath.Join(dir, "b.zarr"), filepath.Join(dir, "c.tif"), "/data/d.czi", "/data/e.tif")
	p := open(web.Options{Previews: maker})
	p.open("/orders/" + id)
	p.run("document.querySelectorAll('img').forEach(i => i.scrollIntoView())")
	p.wait("[...document.querySelectorAll('img')].every(i => i.complete)")
	// Of what was imported and may have one; the third says that there is none.
	require.Equal(s.t, "192 150 96", p.text("[...document.querySelectorAll('img')].map(i => i.naturalWidth).join(' ')"))
	r := s.page(web.Options{Previews: maker}, "/orders/"+id+"/preview/4")
	require.Equal(s.t, http.StatusNotFound, r.Code)
}

func search(s site, open func(web.Options) *tab) {
	s.ended("Demo", "ada", "", "/data/retina.tif")
	s.ended("Demo", "bob", "It is broken.", "/data/cornea.tif")
	p := open(web.Options{})
	p.open("/")
	p.do(chromedp.SendKeys(chromedp.CSS("#q"), "corn"))
	p.wait("document.querySelectorAll('.order').length === 1 && location.search.includes('q=corn')")
	p.sees("cornea.tif")
	p.run(`document.getElementById('q').value = ''; const of = document.querySelector('select[name=stage]'); of.value = 'completed';
		of.dispatchEvent(new Event('change', {bubbles: true}))`)
	p.wait("document.querySelectorAll('.order.completed').length === 1 && document.querySelectorAll('.order').length === 1")
	p.sees("retina.tif")
	p.open("/?q=nothing")
	p.sees("No order is like that.")
}

func retryAsksFirst(s site, open func(web.Options) *tab) {
	id := s.ended("Demo", "ada", "It is broken.", "/data/a.tif")
	p := open(web.Options{})
	p.open("/orders/" + id)
	p.click("#ask-retry")
	p.click("#retry button[value=no]")
	p.wait("!document.getElementById('retry').open")
	st, err := s.Brief(s.t.Context(), id)
	require.NoError(s.t, err)
	require.True(s.t, st.Stage.Ended())
	p.click("#ask-retry")
	p.click("#retry .do")
	p.wait("document.querySelector('.order.waiting') !== null")
	p.click("#ask-cancel")
	p.click("#cancel .do")
	p.sees("The order was cancelled.")
}

func keyboardAlone(s site, open func(web.Options) *tab) {
	id := s.ended("Demo", "ada", "It is broken.", "/data/a.tif")
	p := open(web.Options{})
	p.open("/")
	p.press(kb.Tab)
	require.Equal(s.t, "Skip to the content", p.text("document.activeElement.innerText"))
	p.press(kb.Enter, kb.Tab)
	require.Equal(s.t, "q", p.text("document.activeElement.id"))
	p.reach("a-")
	p.press(kb.Enter)
	p.wait("location.pathname.startsWith('/orders/')")
	p.sees("Timeline")
	p.reach("ask-retry")
	p.press(kb.Enter)
	p.wait("document.getElementById('retry').open")
	p.press(kb.Escape)
	p.wait("!document.getElementById('retry').open")
	require.Equal(s.t, "ask-retry", p.text("document.activeElement.id"))
	p.press(kb.Enter)
	for p.text("document.activeElement.className") != "do" {
		p.press(kb.Tab)
	}
	p.press(kb.Enter)
	p.wait("document.querySelector('.order.waiting') !== null")
	st, err := s.Brief(s.t.Context(), id)
	require.NoError(s.t, err)
	require.False(s.t, st.Stage.Ended())
}

// reach goes on with the key Tab to what has an id that begins so.
func (p *tab) reach(id string) {
	p.t.Helper()
	for range 50 {
		if strings.HasPrefix(p.text("document.activeElement.id"), id) {
			return
		}
		p.press(kb.Tab)
	}
	require.Fail(p.t, "the key does not lead there", id)
}

// everyPage fills a database with what is long and unusual, and returns all pages of it.
func everyPage(s site) (o web.Options, paths []string) {
	long := "/data/" + strings.Repeat("long-name_", 18) + ".ome.tif"
	failed := s.ended("Demo", "ada", "The file "+long+" is empty.", long, "/data/b.tif")
	s.place("A group with a name", strings.Repeat("u", 60), "/data/c.tif")
	works := s.begin()
	require.NoError(s.t, s.SaveProgress(s.t.Context(), works[0].Job, tracking.Progress{
		Step: "importing", FilesDone: 1, FilesTotal: 4, BytesDone: 1e9, BytesTotal: 4e9, Began: time.Now().Add(-time.Minute), Updated: time.Now(),
	}))
	s.place("Demo", "ada", long)
	s.exec(`INSERT INTO importer.drops (key, path, kind, size, mtime, inode, state, reason, version) VALUES ('k', $1, 'manifest', 1, 1, 1, 'refused', $1, 1)`, long)
	require.NoError(s.t, s.Present(s.t.Context(), "bench-7", []string{"watch", "work", "web"}, "v1"))
	require.NoError(s.t, s.Pause(s.t.Context(), "Lab", ""))
	o = web.Options{
		Images: "https://omero.example.org", Logs: s.t.TempDir(), Watcher: watched{{Path: long, Due: time.Now().Add(time.Hour)}},
		Trouble: func() string { return "OMERO is not available." },
	}
	return o, []string{
		"/", "/?q=nothing", "/orders/" + failed, "/orders/" + works[0].Job.UUID, "/users/Demo/ada",
		"/users/" + url.PathEscape("A group with a name") + "/" + strings.Repeat("u", 60), "/drops", "/service",
	}
}

func phone(s site, open func(web.Options) *tab) {
	o, paths := everyPage(s)
	p := open(o)
	p.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	for _, path := range paths {
		p.open(path)
		require.Equal(s.t, "360", p.text("document.documentElement.scrollWidth"), path)
	}
}

func accessible(s site, open func(web.Options) *tab) {
	o, paths := everyPage(s)
	p := open(o)
	for _, dark := range []bool{false, true} {
		p.dark(dark)
		want := map[bool]string{false: "rgb(255, 255, 255)", true: "rgb(13, 17, 23)"}[dark]
		for _, path := range paths {
			p.open(path)
			require.Equal(s.t, want, p.text("getComputedStyle(document.body).backgroundColor"))
			p.accessible()
		}
		p.open(paths[2])
		p.click("#ask-retry")
		p.accessible()
	}
}

// The first visit, and the one page with charts, fetch no more than a picture's weight.
func light(s site, open func(web.Options) *tab) {
	for range 50 {
		s.place("Demo", "ada", "/data/retina/2026-01-01 section 7 (DAPI).ome.tif")
	}
	for _, path := range []string{"/", "/service"} {
		p := open(web.Options{})
		p.open(path)
		p.wait("document.readyState === 'complete' && (location.pathname === '/' || document.body.dataset.charts > 0)")
		p.mu.Lock()
		s.t.Logf("the first visit of %s transferred %.0f bytes", path, p.bytes)
		require.Less(s.t, p.bytes, float64(maxWeight), path)
		require.Greater(s.t, p.bytes, 10_000.0, path)
		p.mu.Unlock()
	}
}

func chartsAreDrawn(s site, open func(web.Options) *tab) {
	s.ended("Demo", "ada", "", "/data/a.tif")
	s.ended("Demo", "ada", "It is broken.", "/data/a.tif")
	p := open(web.Options{})
	p.open("/service")
	p.wait("document.body.dataset.charts === '24' && document.querySelectorAll('.chart canvas').length === 2")
	require.Equal(s.t, "24", p.text("document.querySelectorAll('#hours tbody tr').length"))
	require.Equal(s.t, "1 1", p.text("[...document.querySelector('#hours tbody tr').cells].slice(1, 3).map(c => c.textContent).join(' ')"))
	p.click("input[value=week]")
	p.wait("document.body.dataset.charts === '168' && document.querySelectorAll('.chart canvas').length === 2")
}

// A page that is left open while the service is replaced reads its list again.
func eventsAfterARestart(s site, open func(web.Options) *tab) {
	s.ended("Demo", "ada", "", "/data/old.tif")
	p := open(web.Options{})
	p.open("/")
	p.sees("old.tif")
	s.place("Demo", "ada", "/data/new.tif")
	// As if its place in the events were another process's.
	p.run(`const of = document.querySelector('[sse-connect]'); of.setAttribute('sse-connect', '/events?since=other-7'); htmx.process(of)`)
	p.sees("new.tif")
}

// A page that nobody looks at follows nothing, and is read again when somebody does.
func eventsInBackground(s site, open func(web.Options) *tab) {
	p := open(web.Options{})
	p.open("/")
	p.run(`window.same = true; window.hiding = true; Object.defineProperty(document, 'hidden', {get: () => window.hiding});
		window.setTimeout = f => f(); document.dispatchEvent(new Event('visibilitychange'))`)
	s.place("Demo", "ada", "/data/new.tif")
	p.run("window.hiding = false; document.dispatchEvent(new Event('visibilitychange'))")
	p.wait("window.same === undefined")
	p.sees("new.tif")
}
