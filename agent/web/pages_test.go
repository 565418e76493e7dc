package web_test

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/logging"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/web"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

const script = `<script>alert(1)</script>`

// page is what a store's handler answers.
func (s site) page(o web.Options, path string) *httptest.ResponseRecorder {
	s.t.Helper()
	return ask(s.t, s.Store, o, httptest.NewRequest(http.MethodGet, path, nil))
}

func TestPages_showHostileNamesAsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("<b>Demo", script, `The file "`+script+`" is "><img src=x onerror=alert(1)>.`, "/data/"+script+".tif", `/data/x" onload="alert(1).tif`)
	s.exec(`INSERT INTO importer.drops (key, path, kind, size, mtime, inode, state, reason, version) VALUES ('k', $1, 'manifest', 1, 1, 1, 'refused', $1, 1)`, script)
	require.NoError(t, s.Pause(t.Context(), script, script))
	require.NoError(t, s.Present(t.Context(), script, []string{script}, script))
	for _, path := range []string{"/", "/orders/" + id, "/drops", "/service", "/users/" + url.PathEscape("<b>Demo") + "/" + url.PathEscape(script), "/?q=" + url.QueryEscape(script) + "&user=" + url.QueryEscape(`"><img>`), "/orders/" + url.PathEscape(script)} {
		r := s.page(web.Options{Trouble: func() string { return script }, Watcher: watched{{Path: script}}}, path)
		page := r.Body.String()
		require.Contains(t, page, "&lt;script&gt;alert(1)", path)
		require.NotContains(t, page, script, path)
		require.NotContains(t, page, "<img src=x", path)
		require.NotContains(t, page, "<b>Demo", path)
		require.NotContains(t, page, `x" onload="`, path)
		require.NotContains(t, page, "style=", path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		} {
			require.Equal(t, want, r.Header().Get(name), path)
		}
	}
}

// Signs in a name cannot turn around what stands behind it.
func TestPages_showWhatTurnsTextAround(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("Demo", "ada", "", "/data/scan\u202effit.tif", "/data/\u200f.tif")
	for _, path := range []string{"/", "/orders/" + id} {
		page := s.page(web.Options{}, path).Body.String()
		require.Contains(t, page, "scan\ufffdffit.tif", path)
		require.NotContains(t, page, "\u202e", path)
		require.Contains(t, page, "\u200f.tif", path)
	}
}

// A client may have written anything as its order's number, its files and itself.
func TestPages_ofAnOrderWithAnUnusualNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const id, user = "a/b?c#d \"><i>\n%2f", "../x/y?"
	s.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names)
		VALUES ('.', $2, '151', 'Dataset', 'Import Pending', $1, '{', 'not JSON')`, id, user)
	list := s.page(web.Options{}, "/").Body.String()
	require.NotContains(t, list, "<i>")
	s.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names)
		VALUES ('a/b', $1, '151', 'Dataset', 'Import Pending', gen_random_uuid(), '{', 'not JSON')`, user)
	list = s.page(web.Options{}, "/").Body.String()
	for _, start := range []string{`href="/orders/a`, `href="/users/`, `href="/?group=.`} {
		_, after, ok := strings.Cut(list, start)
		require.True(t, ok)
		address, _, _ := strings.Cut(after, `"`)
		r := s.page(web.Options{}, html.UnescapeString(strings.TrimPrefix(start, `href="`)+address))
		require.Equal(t, http.StatusOK, r.Code, address)
		require.Contains(t, r.Body.String(), "not JSON", address)
		require.NotContains(t, r.Body.String(), "<i>")
	}
}

// watched is what a watcher says to be settling.
type watched []watcher.Settling

func (w watched) Settling() []watcher.Settling { return w }

func TestOrderPage_tellsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("Demo", "ada", "1 of 2 files failed: the file is empty.", "/data/a.tif", "/data/b.tif")
	page := s.page(web.Options{Images: "https://omero.example.org/"}, "/orders/"+id).Body.String()
	for _, part := range []string{
		"<h1>a.tif, b.tif</h1>", "Import Pending", "Import Started", "Import Failed", "1 imported, 1 failed", "the file is empty", "/data/b.tif",
		`href="https://omero.example.org/webclient/?show=image-100"`, `href="/users/Demo/ada"`, "Retry…", "Attempt 1",
	} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "Cancel…")
	failed := s.page(web.Options{}, "/orders/"+id+"?state=failed").Body.String()
	require.Contains(t, failed, "/data/b.tif")
	require.NotContains(t, failed, "/data/a.tif")
	require.Equal(t, http.StatusNotFound, s.page(web.Options{}, "/orders/unknown").Code)
}

func TestOrderPage_pagesFilesAlsoPendingOnes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var files []string
	for i := range 120 {
		files = append(files, "/data/f"+strings.Repeat("i", i)+".tif")
	}
	id := s.place("Demo", "ada", files...)
	page := s.page(web.Options{}, "/orders/"+id).Body.String()
	require.Contains(t, page, files[49])
	require.NotContains(t, page, files[50])
	require.Contains(t, page, "Cancel…")
	require.Contains(t, page, "?from=50")
	last := s.page(web.Options{}, "/orders/"+id+"?from=100").Body.String()
	require.Contains(t, last, files[119])
	require.NotContains(t, last, "More files")
}

func TestUserPage_hasOnlyTheirOrders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ended("Demo", "ada", "", "/data/adas.tif")
	s.ended("Demo", "bob", "", "/data/bobs.tif")
	s.ended("Lab", "ada", "", "/data/labs.tif")
	page := s.page(web.Options{}, "/users/Demo/ada").Body.String()
	require.Contains(t, page, "Orders of ada in Demo")
	require.Contains(t, page, "adas.tif")
	require.NotContains(t, page, "bobs.tif")
	require.NotContains(t, page, "labs.tif")
}

func TestList_pages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 60 {
		s.place("Demo", "ada", "/data/a.tif")
	}
	first := s.page(web.Options{}, "/").Body.String()
	require.Equal(t, 50, strings.Count(first, `<li id="o-`))
	_, after, _ := strings.Cut(first, `rel="next" href="`)
	address, _, _ := strings.Cut(after, `"`)
	second := s.page(web.Options{}, address).Body.String()
	require.Equal(t, 10, strings.Count(second, `<li id="o-`))
	require.NotContains(t, second, `rel="next"`)
	require.Contains(t, first, "60 waiting, 0 at work")
}

func TestActions_needAnOperator(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("Demo", "ada", "It is broken.", "/data/a.tif")
	post := func(path string, header ...string) int {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		for _, name := range header {
			r.Header.Set(name, "cross-site")
		}
		return ask(t, s.Store, web.Options{}, r).Code
	}
	require.Equal(t, http.StatusForbidden, post("/orders/"+id+"/retry", viewer))
	require.Equal(t, http.StatusForbidden, post("/orders/"+id+"/cancel", viewer))
	require.Equal(t, http.StatusForbidden, post("/orders/"+id+"/retry", "Sec-Fetch-Site"))
	r := httptest.NewRequest(http.MethodGet, "/orders/"+id, nil)
	r.Header.Set(viewer, "1.1 proxy")
	page := ask(t, s.Store, web.Options{}, r).Body.String()
	require.Contains(t, page, "Import Failed")
	require.NotContains(t, page, "<button")
	require.Equal(t, http.StatusConflict, post("/orders/"+id+"/cancel"))
	st, err := s.Brief(t.Context(), id)
	require.NoError(t, err)
	require.EqualValues(t, "Import Failed", st.Stage)

	require.Equal(t, http.StatusSeeOther, post("/orders/"+id+"/retry"))
	require.Equal(t, http.StatusConflict, post("/orders/"+id+"/retry"))
	require.Equal(t, http.StatusSeeOther, post("/orders/"+id+"/cancel"))
	st, err = s.Brief(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "The order was cancelled.", st.Description)
	page = s.page(web.Options{}, "/orders/"+id).Body.String()
	require.Regexp(t, `(?s)Import Pending</b> \(attempt 2\).*Import Failed</b>.*Import Pending</b> \(attempt 1\)`, page)
}

func TestLog_isTheEndOfTheOrdersOwnWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("Demo", "ada", "", "/data/a.tif")
	dir := t.TempDir()
	o := web.Options{Logs: dir}
	require.Contains(t, s.page(o, "/orders/"+id+"/log").Body.String(), "There is no log of this order here")
	lines := strings.Repeat(`{"time":"2026-01-01T10:00:00Z","level":"DEBUG","msg":"filler"}`+"\n", 2000) +
		`{"time":"2026-01-01T10:00:01Z","level":"WARN","msg":"lost postgres://ada:hunter2@db","path":"<b>","took":14449933}` + "\n" + "no JSON password=hunter2\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, logging.FileName(id)), []byte(lines), 0o600))
	page := s.page(o, "/orders/"+id+"/log").Body.String()
	require.Contains(t, page, "2026-01-01T10:00:01 WARN lost postgres://ada:***@db path=&lt;b&gt; took=14449933")
	require.NotContains(t, page, "hunter2")
	require.Less(t, len(page), 70<<10)

	other := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(other, []byte("secret"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, logging.FileName(id))))
	require.NoError(t, os.Symlink(other, filepath.Join(dir, logging.FileName(id))))
	require.Equal(t, http.StatusServiceUnavailable, s.page(o, "/orders/"+id+"/log").Code)
	require.Equal(t, http.StatusNotFound, s.page(o, "/orders/"+url.PathEscape("../secret")+"/log").Code)
}

func TestReceipt_isReadBelowTheShare(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.ended("Demo", "ada", "", "/data/a.tif")
	dir := t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, share.Close()) }()
	manifest := filepath.Join(dir, "order.yml")
	s.exec(`INSERT INTO importer.drops (key, path, kind, size, mtime, inode, state, uuid, version) VALUES ('k', $1, 'manifest', 1, 1, 1, 'taken', $2, 1)`, manifest, id)
	o := web.Options{Share: share}
	require.Contains(t, s.page(o, "/orders/"+id).Body.String(), manifest)
	require.Contains(t, s.page(o, "/orders/"+id+"/receipt").Body.String(), "no receipt")
	require.NoError(t, os.WriteFile(manifest+".receipt.json", []byte(`{"uuid": "<b>"}`), 0o600))
	require.Contains(t, s.page(o, "/orders/"+id+"/receipt").Body.String(), "&lt;b&gt;")
	require.NoError(t, os.Remove(manifest+".receipt.json"))
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("of another group"), 0o600))
	for _, target := range []string{"/etc/hostname", secret, "secret"} { // whoever drops manifests may put links beside them
		require.NoError(t, os.Symlink(target, manifest+".receipt.json"))
		require.Contains(t, s.page(o, "/orders/"+id+"/receipt").Body.String(), "no receipt", target)
		require.NoError(t, os.Remove(manifest+".receipt.json"))
	}
}

// later has no picture at first.
type later struct{ picture []byte }

func (l *later) Get(context.Context, string) (picture []byte, tag string, err error) {
	return l.picture, "t1", nil
}

// A browser that was told that there is no picture does not keep to that.
func TestPreview_thatIsMadeLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address := "/orders/" + s.ended("Demo", "ada", "", "/data/a.tif") + "/preview/"
	l := &later{}
	o := web.Options{Previews: l}
	none := s.page(o, address+"0")
	require.Equal(t, "image/svg+xml", none.Header().Get("Content-Type"))
	again := func(known string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, address+"0", nil)
		r.Header.Set("If-None-Match", known)
		return ask(t, s.Store, o, r)
	}
	require.Equal(t, http.StatusNotModified, again(none.Header().Get("Etag")).Code)
	l.picture = []byte("a picture")
	made := again(none.Header().Get("Etag"))
	require.Equal(t, http.StatusOK, made.Code)
	require.Equal(t, "image/jpeg", made.Header().Get("Content-Type"))
	require.Equal(t, http.StatusNotModified, again(made.Header().Get("Etag")).Code)
	require.Equal(t, http.StatusNotFound, s.page(o, address+"99999999999").Code)
}

// patient notes how long what it is asked may take.
type patient struct {
	web.Store

	until time.Time
	ended bool
}

func (p *patient) Unsettled(ctx context.Context, _ int) ([]tracking.Unsettled, error) {
	p.until, _ = ctx.Deadline()
	p.ended = ctx.Err() != nil
	return nil, nil
}

// A look that others may wait for goes on without who asked first, but not for good.
func TestPages_lookForAWhile(t *testing.T) {
	t.Parallel()
	store := &patient{}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	ask(t, store, web.Options{}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/drops", nil))
	require.False(t, store.ended)
	require.WithinDuration(t, time.Now().Add(10*time.Second), store.until, 5*time.Second)
}

func TestDrops_thatSettleAndThatWait(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(`INSERT INTO importer.drops (key, path, kind, size, mtime, inode, state, reason, version) VALUES ('k', '/data/order.yml', 'manifest', 1, 1, 1, 'refused', 'No user.', 1),
		('l', '/data/taken.tif', 'file', 1, 1, 1, 'taken', '', 1)`)
	page := s.page(web.Options{Watcher: watched{{Path: "/data/new.tif", Due: time.Now().Add(time.Hour)}}}, "/drops").Body.String()
	for _, part := range []string{"/data/new.tif", "60 minutes left", "/data/order.yml", "No user."} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "taken.tif")
	require.Contains(t, s.page(web.Options{}, "/drops").Body.String(), "This agent does not watch folders.")
}

func TestService_namesAgentsAndPauses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	require.NoError(t, s.Present(t.Context(), "bench-7", []string{"watch", "work"}, "v1"))
	require.NoError(t, s.Present(t.Context(), "gone-1", []string{"web"}, "v1"))
	s.exec(`UPDATE importer.agents SET seen_at = now() - interval '5 minutes' WHERE name = 'gone-1'`)
	s.place("Demo", "ada", "/data/a.tif")
	s.begin()
	require.NoError(t, s.Pause(t.Context(), "Lab", ""))
	page := s.page(web.Options{}, "/service").Body.String()
	require.Regexp(t, `(?s)<b>bench-7</b>.*watch.*work.*1 orders at work.*<b>gone-1</b>.*away</b> since.*All orders in Lab`, page)
	agents, err := s.Agents(t.Context())
	require.NoError(t, err)
	require.Len(t, agents, 2)
	require.Equal(t, []bool{false, true}, []bool{agents[0].Away, agents[1].Away})
	require.NoError(t, s.Leave(t.Context(), "gone-1"))
	agents, err = s.Agents(t.Context())
	require.NoError(t, err)
	require.Equal(t, []tracking.Presence{agents[0]}, agents)
}
