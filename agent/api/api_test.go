package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/access"
	"biomero-importer/agent/api"
	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/agent/problem"
	"biomero-importer/agent/submit"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
	"biomero-importer/importer"
)

func TestMain(m *testing.M) {
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

const (
	viewer   = "viewer-token-0123456789"
	operator = "operator-token-0123456789"
)

// site is an API over a database and a share of its own.
type site struct {
	t          *testing.T
	store      *tracking.Store
	dir        string
	log        *bytes.Buffer
	containers int
	fault      error // of finding a container
	handler    http.Handler
	doc        *openapi3.T
	router     routers.Router
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), log: &bytes.Buffer{}}
	var err error
	s.store, err = tracking.Open(t.Context(), trackingtest.URL(t), 5)
	require.NoError(t, err)
	t.Cleanup(s.store.Close)
	s.serve(s.store)
	s.doc, err = openapi3.NewLoader().LoadFromFile("openapi.yml")
	require.NoError(t, err)
	require.NoError(t, s.doc.Validate(t.Context()))
	s.router, err = legacy.NewRouter(s.doc)
	require.NoError(t, err)
	return s
}

func (s *site) serve(orders api.Orders) {
	s.t.Helper()
	share, err := importer.OpenShare(s.dir)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, share.Close()) })
	guard := access.New(access.Config{Auth: config.WebAuth{ViewerToken: viewer, OperatorToken: operator}})
	s.handler = guard.Wrap(api.Handler(api.Config{
		Orders: orders, Operator: guard.Operator, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		Placer: &submit.Placer{Share: share, Store: s.store, Container: func(_ context.Context, c importer.Container) (int64, error) {
			s.containers++
			require.Equal(s.t, importer.Container{Type: importer.Dataset, Group: "Demo", User: "ada", Project: "P", Name: "D"}, c)
			return 42, s.fault
		}},
	}))
}

func (s *site) write(name string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(s.t, os.WriteFile(path, []byte("pixels"), 0o600))
	return path
}

// ask makes a request with a token, and checks that the description has its answer; where
// it was carried out, also the request.
func (s *site) ask(token, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	request := func() *http.Request {
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		return r
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, request())
	require.NotContains(s.t, w.Body.String(), "-token-")
	require.Equal(s.t, "no-store", w.Header().Get("Cache-Control"))
	described := request()
	if method == http.MethodHead {
		described.Method = http.MethodGet
	}
	route, parts, err := s.router.FindRoute(described)
	if err != nil {
		require.Contains(s.t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, w.Code, "%s %s is not described", method, path)
		require.Equal(s.t, "application/problem+json", w.Header().Get("Content-Type"))
		return w
	}
	in := &openapi3filter.RequestValidationInput{
		Request: described, Route: route, PathParams: parts, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if w.Code < 300 && !strings.Contains(strings.Join(headers, " "), "yaml") {
		require.NoError(s.t, openapi3filter.ValidateRequest(s.t.Context(), in), "%s %s", method, path)
	}
	if method != http.MethodHead {
		require.NoError(s.t, openapi3filter.ValidateResponse(s.t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}), "%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w
}

// refusal is the sentence of an answer of a status.
func (s *site) refusal(status int, w *httptest.ResponseRecorder) string {
	s.t.Helper()
	require.Equal(s.t, status, w.Code, w.Body)
	var p problem.Problem
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(s.t, status, p.Status)
	return p.Detail
}

const asJSON = "Content-Type: application/json"

// manifest is an order of files, with what else is given.
func manifest(more map[string]any, files ...string) string {
	m := map[string]any{"group": "Demo", "user": "ada", "destination": map[string]any{"type": "Dataset", "id": 7}, "files": files}
	maps.Copy(m, more)
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// placed places an order and returns its uuid.
func (s *site) placed(body string) string {
	s.t.Helper()
	w := s.ask(operator, http.MethodPost, "/orders", body, asJSON)
	require.Equal(s.t, http.StatusCreated, w.Code, w.Body)
	return s.uuid(w)
}

func (s *site) uuid(w *httptest.ResponseRecorder) string {
	s.t.Helper()
	var answer struct {
		UUID string `json:"uuid"`
	}
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(s.t, "/api/v1/orders/"+answer.UUID, w.Header().Get("Location"))
	return answer.UUID
}

// end carries an order out.
func (s *site) end(stage order.Stage) {
	s.t.Helper()
	agent := tracking.Agent{Name: "agent"}
	waiting, err := s.store.Waiting(s.t.Context(), agent, 100)
	require.NoError(s.t, err)
	works, _, err := s.store.Take(s.t.Context(), agent, waiting.Due, waiting.Shares)
	require.NoError(s.t, err)
	require.Len(s.t, works, 1)
	require.NoError(s.t, s.store.Begin(s.t.Context(), works[0]))
	require.NoError(s.t, s.store.Finish(s.t.Context(), tracking.End{Job: works[0].Job, Stage: stage, Reason: "The file is empty.", Files: []tracking.File{
		{Path: works[0].Order.Files[0], State: tracking.FileFailed, Reason: "It is empty."},
	}}))
}

func (s *site) list(query string) (uuids []string, next string) {
	s.t.Helper()
	w := s.ask(viewer, http.MethodGet, "/orders"+query, "")
	require.Equal(s.t, http.StatusOK, w.Code, w.Body)
	var page struct {
		Orders []tracking.Status `json:"orders"`
		Next   string            `json:"next"`
	}
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &page))
	for i := range page.Orders {
		uuids = append(uuids, page.Orders[i].UUID)
	}
	return uuids, page.Next
}

// Nothing is answered that is not described, and nothing described that is not answered.
func TestRoutes_areThoseOfTheDescription(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var described []string
	for path, item := range s.doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	require.ElementsMatch(t, described, api.Routes())
	w := s.ask(viewer, http.MethodGet, "/openapi.yml", "")
	written, err := os.ReadFile("openapi.yml")
	require.NoError(t, err)
	require.Equal(t, string(written), w.Body.String())
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodConnect} {
		w := s.ask(operator, method, "/orders/x", "")
		s.refusal(http.StatusMethodNotAllowed, w)
		require.Equal(t, "GET", w.Header().Get("Allow"))
	}
	require.Contains(t, s.refusal(http.StatusNotFound, s.ask(operator, http.MethodGet, "/secrets", "")), "openapi.yml")
	require.Equal(t, http.StatusOK, s.ask(viewer, http.MethodHead, "/orders", "").Code)
}

// The description names the keys of manifests that there are.
func TestDescription_knowsManifests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	data, err := os.ReadFile("../../configs/order.schema.json")
	require.NoError(t, err)
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(data, &schema))
	var keys, described []string
	for key := range schema.Properties {
		keys = append(keys, key)
	}
	for key := range s.doc.Components.Schemas["Manifest"].Value.Properties {
		described = append(described, key)
	}
	require.ElementsMatch(t, keys, described)
}

func TestOrders_fromPlacingToTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("Demo/ada/a b.tif")
	id := s.placed(manifest(map[string]any{"priority": 100, "description": "<b>run</b> 7", "metadata": map[string]string{"k": "v"}}, path))
	found, err := s.store.Show(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 100, found.Priority)
	require.Equal(t, map[string]string{"k": "v"}, found.Metadata)
	require.Contains(t, s.log.String(), id)
	require.Contains(t, s.log.String(), "by=operator")

	uuids, _ := s.list("?stage=pending&user=ada&group=Demo&text=A%20B.TIF&since=2026-01-01T00:00:00%2B02:00&limit=500")
	require.Equal(t, []string{id}, uuids)
	s.end(order.Failed)
	w := s.ask(viewer, http.MethodGet, "/orders/"+id, "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "It is empty.")
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Contains(t, s.refusal(http.StatusConflict, s.ask(operator, http.MethodPost, "/orders/"+id+"/cancel", "")), "has ended")
	retried := s.ask(operator, http.MethodPost, "/orders/"+id+"/retry?all=true", "")
	require.Equal(t, http.StatusAccepted, retried.Code)
	require.Equal(t, "/api/v1/orders/"+id, retried.Header().Get("Location"))
	require.Contains(t, s.refusal(http.StatusConflict, s.ask(operator, http.MethodPost, "/orders/"+id+"/retry", "")), "once it has ended")
	require.Equal(t, http.StatusAccepted, s.ask(operator, http.MethodPost, "/orders/"+id+"/cancel", "").Code)
	uuids, _ = s.list("?stage=failed&stage=started")
	require.Equal(t, []string{id}, uuids)
}

func TestList_inPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("a.tif")
	var ids []string
	for range 3 {
		ids = append([]string{s.placed(manifest(nil, path))}, ids...)
	}
	first, next := s.list("?limit=2")
	require.Equal(t, ids[:2], first)
	second, end := s.list("?limit=2&after=" + url.QueryEscape(next))
	require.Equal(t, ids[2:], second)
	require.Empty(t, end)
	none, _ := s.list("?user=nobody")
	require.Empty(t, none)
	for query, sentence := range map[string]string{
		"?stage=lost":                   "The stage",
		"?stage=pending&stage=":         "The stage",
		"?limit=0":                      "limit",
		"?limit=501":                    "limit",
		"?limit=1&limit=2":              "twice",
		"?limit=ten":                    "limit",
		"?since=yesterday":              "since",
		"?after=x":                      "first page",
		"?owner=ada":                    "no parameter",
		"?user=%zz":                     "query",
		"?user=a;group=b":               "query",
		"?" + strings.Repeat("a", 5000): "no parameter",
	} {
		require.Contains(t, s.refusal(http.StatusBadRequest, s.ask(viewer, http.MethodGet, "/orders"+query, "")), sentence, query)
	}
}

func TestPlace_takesYAMLAndPatterns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.write("x/a.tif"), s.write("x/b.tif")
	body := "group: Demo\nuser: ada\ndestination: {type: Dataset, project: P, name: D}\nfiles: [\"" + s.dir + "/*/?.tif\"]\n" +
		"preprocessing: {container: lab/a:v1, params: {n: 1.50}}\n"
	var first string
	for _, typ := range []string{"application/yaml", "text/yaml; charset=utf-8", "application/x-yaml"} {
		w := s.ask(operator, http.MethodPost, "/orders", body, "Content-Type: "+typ, "Idempotency-Key: run-7")
		if first == "" {
			require.Equal(t, http.StatusCreated, w.Code, w.Body)
			first = s.uuid(w)
		}
		require.Equal(t, first, s.uuid(w))
	}
	require.Equal(t, 3, s.containers)
	placed, err := s.store.Placed(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, []string{a, b}, placed.Files)
	require.Equal(t, order.Destination{Type: order.Dataset, ID: 42}, placed.Destination)
}

// A request that is repeated, even at the same time, places one order; one that is another
// is told so.
func TestPlace_once(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path, other := s.write("a.tif"), s.write("b.tif")
	const id = "afe38fe0-ea2b-43e6-949d-364827c66230"
	for _, by := range []struct {
		headers []string
		more    map[string]any
	}{{[]string{asJSON, "Idempotency-Key: k1"}, map[string]any{}}, {[]string{asJSON}, map[string]any{"uuid": strings.ToUpper(id)}}} {
		codes := make([]int, 8)
		uuids := make([]string, 8)
		var all sync.WaitGroup
		for i := range codes {
			all.Go(func() {
				r := httptest.NewRequest(http.MethodPost, "/api/v1/orders", strings.NewReader(manifest(by.more, path)))
				for _, h := range append(by.headers, "Authorization: Bearer "+operator) {
					name, value, _ := strings.Cut(h, ": ")
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				s.handler.ServeHTTP(w, r)
				codes[i], uuids[i] = w.Code, w.Header().Get("Location")
			})
		}
		all.Wait()
		slices.Sort(codes)
		require.Equal(t, []int{200, 200, 200, 200, 200, 200, 200, 201}, codes)
		require.Len(t, slices.Compact(uuids), 1)
		for name, body := range map[string]string{
			"files":       manifest(by.more, path, other),
			"user":        manifest(with(by.more, "user", "bob"), path),
			"group":       manifest(with(by.more, "group", "Lab"), path),
			"destination": manifest(with(by.more, "destination", map[string]any{"type": "Dataset", "id": 8}), path),
			"screen":      manifest(with(by.more, "destination", map[string]any{"type": "Screen", "id": 7}), path),
			"converter":   manifest(with(by.more, "preprocessing", map[string]any{"container": "lab/a:v1"}), path),
		} {
			w := s.ask(operator, http.MethodPost, "/orders", body, by.headers...)
			require.Contains(t, s.refusal(http.StatusConflict, w), "Another order", name)
			require.Equal(t, uuids[0], w.Header().Get("Location"))
		}
	}
	// It is harmless once the order has been carried out, too.
	s.begin()
	require.Equal(t, http.StatusOK, s.ask(operator, http.MethodPost, "/orders", manifest(map[string]any{"uuid": id}, path), asJSON).Code)
	found, err := s.store.Show(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, order.Started, found.Stage)
	// Whoever repeats nothing, places each.
	first, second := s.placed(manifest(nil, path)), s.placed(manifest(nil, path))
	require.NotEqual(t, first, second)
}

func with(more map[string]any, key string, value any) map[string]any {
	copied := maps.Clone(more)
	copied[key] = value
	return copied
}

// begin has workers begin with all that waits.
func (s *site) begin() {
	s.t.Helper()
	agent := tracking.Agent{Name: "agent"}
	waiting, err := s.store.Waiting(s.t.Context(), agent, 100)
	require.NoError(s.t, err)
	works, _, err := s.store.Take(s.t.Context(), agent, waiting.Due, waiting.Shares)
	require.NoError(s.t, err)
	for _, w := range works {
		require.NoError(s.t, s.store.Begin(s.t.Context(), w))
	}
}

func TestPlace_refuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("a.tif")
	require.NoError(t, os.Symlink("/etc", filepath.Join(s.dir, "out")))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "empty.tif"), nil, 0o600))
	good := manifest(nil, path)
	for name, c := range map[string]struct {
		status   int
		body     string
		headers  []string
		sentence string
	}{
		"no type":            {415, good, nil, "application/json"},
		"a form":             {415, good, []string{"Content-Type: application/x-www-form-urlencoded"}, "application/json"},
		"no JSON":            {422, "group: Demo", []string{asJSON}, "not JSON"},
		"nothing":            {422, "", []string{"Content-Type: application/yaml"}, "order.yml:1"},
		"a list":             {422, "[]", []string{asJSON}, "order.json:1"},
		"an unknown key":     {422, manifest(map[string]any{"owner": "ada"}, path), []string{asJSON}, "no key"},
		"too large":          {413, manifest(nil, strings.Repeat("a", order.MaxManifestBytes)), []string{asJSON}, "patterns"},
		"a relative path":    {422, manifest(nil, path, "a.tif"), []string{asJSON}, "relative"},
		"a relative pattern": {422, manifest(nil, "x/*.tif"), []string{asJSON}, "relative"},
		"outside":            {422, manifest(nil, "/etc/passwd"), []string{asJSON}, "/etc/passwd"},
		"outside by dots":    {422, manifest(nil, s.dir+"/../../../../../../etc/passwd"), []string{asJSON}, "whole path"},
		"outside by a link":  {422, manifest(nil, s.dir+"/out/passwd"), []string{asJSON}, "outside"},
		"patterns outside":   {422, manifest(nil, "/etc/*"), []string{asJSON}, "/etc/*"},
		"patterns by a link": {422, manifest(nil, s.dir+"/out/pass*"), []string{asJSON}, "no file matches"},
		"no match":           {422, manifest(nil, s.dir+"/*.lif"), []string{asJSON}, "no file matches"},
		"an empty file":      {422, manifest(nil, s.dir+"/empty.tif"), []string{asJSON}, "empty"},
		"no such file":       {422, manifest(nil, s.dir+"/b.tif"), []string{asJSON}, "b.tif"},
		"a priority":         {422, manifest(map[string]any{"priority": 101}, path), []string{asJSON}, "priority"},
		"a destination":      {422, manifest(map[string]any{"destination": map[string]any{"type": "Project", "id": 1}}, path), []string{asJSON}, "Dataset"},
		"two keys":           {400, good, []string{asJSON, "Idempotency-Key: a", "Idempotency-Key: b"}, "Idempotency-Key"},
		"an odd key":         {400, good, []string{asJSON, "Idempotency-Key: é"}, "Idempotency-Key"},
	} {
		require.Contains(t, s.refusal(c.status, s.ask(operator, http.MethodPost, "/orders", c.body, c.headers...)), c.sentence, name)
	}
	s.refusal(http.StatusBadRequest, s.ask(operator, http.MethodPost, "/orders?dry=true", good, asJSON))
	named := manifest(map[string]any{"destination": map[string]any{"type": "Dataset", "project": "P", "name": "D"}}, path)
	for fault, status := range map[error]int{
		order.Errorf(order.Invalid, "Two Projects have this name."): 422, order.Errorf(order.Denied, "The group is not ada's."): 403,
		order.Errorf(order.Busy, "OMERO hunter2 is away."): 503, errors.New("hunter2"): 503,
	} {
		s.fault = fault
		require.NotContains(t, s.refusal(status, s.ask(operator, http.MethodPost, "/orders", named, asJSON)), "hunter2")
	}
	uuids, _ := s.list("")
	require.Empty(t, uuids)
}

// Whoever may only look changes nothing; whoever may not look is told nothing.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("a.tif")
	id := s.placed(manifest(nil, path))
	for _, to := range []string{"/orders", "/orders/" + id + "/retry", "/orders/" + id + "/cancel"} {
		require.Contains(t, s.refusal(http.StatusForbidden, s.ask(viewer, http.MethodPost, to, manifest(nil, path), asJSON)), "operator")
		s.refusal(http.StatusUnauthorized, s.ask("", http.MethodPost, to, manifest(nil, path), asJSON))
		s.refusal(http.StatusForbidden, s.ask(operator, http.MethodPost, to, manifest(nil, path), asJSON, "Sec-Fetch-Site: cross-site"))
	}
	for _, to := range []string{"/orders", "/orders/" + id, "/openapi.yml"} {
		s.refusal(http.StatusUnauthorized, s.ask("wrong", http.MethodGet, to, ""))
	}
	found, err := s.store.Show(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, order.Pending, found.Stage)
}

func TestOrders_unknown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, id := range []string{"nobody", "afe38fe0-ea2b-43e6-949d-364827c66230", "%00", "%ff", "%3Cscript%3E", strings.Repeat("a", 3000)} {
		s.refusal(http.StatusNotFound, s.ask(viewer, http.MethodGet, "/orders/"+id, ""))
		s.refusal(http.StatusNotFound, s.ask(operator, http.MethodPost, "/orders/"+id+"/retry", ""))
		s.refusal(http.StatusNotFound, s.ask(operator, http.MethodPost, "/orders/"+id+"/cancel", ""))
	}
	s.refusal(http.StatusBadRequest, s.ask(operator, http.MethodPost, "/orders/nobody/retry?all=yes", ""))
}

// down is a database that does not answer.
type down struct{ api.Orders }

var errDown = errors.New("postgres://ada:hunter2@db is down")

func (down) List(context.Context, tracking.Filter) (tracking.Page, error) {
	return tracking.Page{}, errDown
}
func (down) Show(context.Context, string) (*tracking.Status, error) { return nil, errDown }
func (down) Cancel(context.Context, string) error                   { return errDown }

func TestOrders_withoutADatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(down{})
	for _, w := range []*httptest.ResponseRecorder{
		s.ask(viewer, http.MethodGet, "/orders", ""), s.ask(viewer, http.MethodGet, "/orders/x", ""), s.ask(operator, http.MethodPost, "/orders/x/cancel", ""),
	} {
		require.NotContains(t, s.refusal(http.StatusServiceUnavailable, w), "hunter2")
		require.NotEmpty(t, w.Header().Get("Retry-After"))
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("stage=pending&stage=failed&user=ada&group=Demo&since=2026-01-01T00:00:00Z&text=a%20b&limit=7&after=x")
	f.Add("limit=0&%zz;")
	f.Fuzz(func(t *testing.T, query string) {
		filter, err := api.ReadFilter(query)
		if err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
			return
		}
		require.Positive(t, filter.Limit)
		require.LessOrEqual(t, filter.Limit, tracking.MaxPage)
		for _, stage := range filter.Stages {
			require.NotEmpty(t, stage)
		}
	})
}
