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
	"strings"
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

// Other clients may have written anything as a uuid.
func TestCancel_namesItsPathInEscapes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.store.Pool().Exec(t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', '7', 'Dataset', 'Import Pending', 'run 7/a', '["/data/a.tif"]')`)
	require.NoError(t, err)
	const path = "/orders/run%207%2Fa"
	w := s.ask(operator, http.MethodPost, path+"/cancel", "")
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Equal(t, "/api/v1"+path, w.Header().Get("Location"))
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
