package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/sample"
	"biomero-importer/importer/omero/omerotest"
)

// onlooker is somebody who looks at the status page with a browser.
type onlooker struct {
	s    *site
	ctx  context.Context //nolint:containedctx // chromedp keeps its tabs there
	base string
}

// look starts a browser for the page of a service that runs.
func (s *site) look(page string) onlooker {
	s.t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(s.t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath("chromium"))...)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	s.t.Cleanup(cancel)
	require.NoError(s.t, chromedp.Do(ctx))
	return onlooker{s, ctx, page}
}

func (o onlooker) do(step chromedp.Action[chromedp.Void]) {
	o.s.t.Helper()
	ctx, cancel := context.WithTimeout(o.ctx, patience)
	defer cancel()
	require.NoError(o.s.t, chromedp.Do(ctx, step))
}

func (o onlooker) open(path string) {
	o.s.t.Helper()
	o.do(chromedp.Navigate(o.base + path))
}

// text is what an expression gives.
func (o onlooker) text(expression string) string {
	o.s.t.Helper()
	text, err := chromedp.Run(o.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	require.NoError(o.s.t, err)
	return text
}

// sees waits until an expression holds in the page.
func (o onlooker) sees(expression string) {
	o.s.t.Helper()
	o.s.eventually(func() bool {
		ok, err := chromedp.Run(o.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return ok && err == nil
	}, expression)
}

// unfolds opens what is folded around an element, which is read only then, and waits for a text in it.
func (o onlooker) unfolds(id, text string) {
	o.s.t.Helper()
	o.sees(fmt.Sprintf("document.querySelector('details:not([open]) #%s')?.textContent === '…'", id))
	o.do(chromedp.Click(chromedp.CSS("details:has(#" + id + ") > summary")))
	o.sees(fmt.Sprintf("document.getElementById(%q).innerText.includes(%q)", id, text))
}

// The page of a service tells what its parts do: the watcher, the importer, the logs, the share.
func TestPage_ofAServiceAtWork(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	omeroWeb := s.omero.Web(t).URL
	s.change("omero: {", fmt.Sprintf("omero: {web_url: %q, ", omeroWeb))
	s.open()
	for _, dir := range []string{"elsewhere", "Demo/ada/inbox/Retina", "Demo/ada/orders"} {
		require.NoError(t, os.MkdirAll(s.path("data", dir), 0o755))
	}
	a := s.launch()
	o := s.look(s.page())

	o.open("/drops")
	o.sees("document.body.innerText.includes('None: nothing has changed')")
	picture := s.path("data", "elsewhere", "cells.ome.tif")
	require.NoError(t, sample.WriteTIFF(picture, sample.Stack{Name: "cells", Width: 300, Height: 200, Planes: 1, Channels: 1, Seed: 7}))
	pixels, err := os.ReadFile(picture)
	require.NoError(t, err)
	settling, err := os.Create(s.path("data", "Demo", "ada", "inbox", "Retina", "cells.ome.tif"))
	require.NoError(t, err)
	_, err = settling.Write(pixels) // it does not settle while somebody has it open
	require.NoError(t, err)
	o.sees(fmt.Sprintf("document.querySelector('#settling .drops .path')?.innerText === %q", settling.Name()))

	o.open("/")
	o.sees("document.getElementById('list').childElementCount === 0")
	o.text("window.same = true") // gone if the page is loaded again
	require.NoError(t, settling.Close())
	o.sees("document.querySelector('.order.completed .what')?.innerText === 'cells.ome.tif'")
	require.Equal(t, "Completed true", o.text("document.querySelector('.order .stage').innerText + ' ' + window.same"))

	id := s.orderOf("cells.ome.tif")
	st := s.ended(id, 1)
	require.Len(t, st.Files, 1)
	require.Len(t, st.Files[0].Images, 1)
	o.open("/orders/" + id)
	o.sees("document.querySelector('.files img')?.naturalWidth === 192") // what has no picture is shown as 96
	require.Equal(t, fmt.Sprintf("%s/webclient/?show=image-%d", omeroWeb, st.Files[0].Images[0]), o.text("document.querySelector('.links a').href"))
	o.unfolds("log", "cells.ome.tif")

	s.write(string(omerotest.ImagesFile(1)), "Demo", "ada", "orders", "a.tif")
	s.write(strings.Replace(goodManifest, "id: 151", fmt.Sprintf("id: %d", s.dataset), 1), "Demo", "ada", "orders", "scan.order.yml")
	var receipt order.Receipt
	s.eventually(func() bool {
		data, err := os.ReadFile(s.path("data", "Demo", "ada", "orders", "scan.order.yml.receipt.json"))
		return err == nil && json.Unmarshal(data, &receipt) == nil && receipt.Stage == order.Completed
	}, "the receipt")
	o.open("/orders/" + receipt.UUID)
	o.unfolds("receipt", receipt.UUID)

	o.open("/service")
	o.sees("document.querySelectorAll('.agents b').length === 1")
	require.Regexp(t, fmt.Sprintf(`-%d: watch work web$`, a.cmd.Process.Pid),
		o.text("document.querySelector('.agents b').innerText + ': ' + [...document.querySelectorAll('.agents .state')].map(r => r.innerText).join(' ')"))
	a.stop()
}

func TestPage_saysWhatTheServiceWaitsFor(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	s.omero.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused, Times: -1})
	s.open()
	a := s.launch()
	page := s.page()
	s.eventually(func() bool {
		_, body := fetch(t, page+"/")
		return strings.Contains(body, "The service waits: ")
	}, "the page says so")
	a.stop()
}

// Without web.auth, a service lets in whoever is on its machine, unless others can reach it too.
func TestPage_isForThisMachine(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]int{"127.0.0.1:0": http.StatusOK, "0.0.0.0:0": http.StatusForbidden} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.change(`listen: ""`, fmt.Sprintf("listen: %q", listen))
			a := s.launch()
			at, err := url.Parse(s.page())
			require.NoError(t, err)
			page := "http://127.0.0.1:" + at.Port()
			status, body := fetch(t, page+"/")
			require.Equal(t, want, status, body)
			s.eventually(func() bool {
				status, _ := fetch(t, page+"/healthz")
				return status == http.StatusOK
			}, "machines may ask how it is")
			a.stop()
		})
	}
}
