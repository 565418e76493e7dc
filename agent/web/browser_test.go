package web_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/web"
)

// chromium is a browser that runs.
type chromium struct {
	ctx context.Context //nolint:containedctx // chromedp keeps its browsers there
}

// browser starts Chromium for a test and those below it.
func browser(t *testing.T) chromium {
	t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath("chromium"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return chromium{ctx}
}

// tab is a page that is looked at; whatever it complains of fails the test.
type tab struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp keeps its tabs there
	base string

	mu        sync.Mutex
	complains []string
	bytes     float64
}

// serve serves the page of a database, and opens a tab for it.
func (s site) serve(in chromium, o web.Options) *tab {
	s.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context())) // tabs are closed first
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, listener, handler(s.Store, o)) }()
	s.t.Cleanup(func() {
		stop()
		require.NoError(s.t, <-done)
	})
	p := &tab{t: s.t, base: "http://" + listener.Addr().String()}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(in.ctx)
	s.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(s.t, p.complains)
	})
	s.t.Cleanup(cancel)
	require.NoError(s.t, chromedp.Listen(p.ctx, p.heard))
	call(p, log.Enable, cdp.Empty{})
	call(p, network.Enable, network.EnableParams{})
	return p
}

func (p *tab) heard(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeLog {
			p.complains = append(p.complains, fmt.Sprintf("console %s: %s %s", e.Type, e.Args[0].Value, e.Args[0].Description))
		}
	case *runtime.EventExceptionThrown:
		p.complains = append(p.complains, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		p.complains = append(p.complains, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventLoadingFinished:
		p.bytes += e.EncodedDataLength
	}
}

// waitTime is what only a failure needs.
const waitTime = 2 * time.Minute

func call[P any](p *tab, command cdp.Command[P, cdp.Empty], params P) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, command, params)
	require.NoError(p.t, err)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, waitTime)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...))
}

func (p *tab) open(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.base + path))
}

// click clicks at what there is by then: the page may just replace it.
func (p *tab) click(selector string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, waitTime)
	defer cancel()
	for {
		err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
		if err == nil || !strings.Contains(err.Error(), "Could not find node") {
			require.NoError(p.t, err)
			return
		}
	}
}

// run runs a script.
func (p *tab) run(script string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](script + "; undefined"))
}

// wait waits until an expression holds, also over pages that come and go.
func (p *tab) wait(expression string) {
	p.t.Helper()
	holds := func() bool {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return ok && err == nil
	}
	for end := time.Now().Add(waitTime); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			require.Failf(p.t, "it did not come about", "%s\n%s", expression, p.text("document.body.innerText"))
		}
	}
}

// text evaluates an expression.
func (p *tab) text(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	require.NoError(p.t, err)
	return text
}

// sees waits until the page has a text.
func (p *tab) sees(text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// press presses keys, one after the other.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// dark has the tab prefer dark colours, or light ones.
func (p *tab) dark(dark bool) {
	p.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

var axe = sync.OnceValue(func() string {
	f, err := os.Open("testdata/axe.min.js.gz")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	code, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return string(code)
})

// accessible has axe look at the page.
func (p *tab) accessible() {
	p.t.Helper()
	p.run(axe())
	serious, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`axe.run().then(r => r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('; ')))`,
		chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	require.Empty(p.t, serious, "%s", strings.Join(serious, "\n"))
}
