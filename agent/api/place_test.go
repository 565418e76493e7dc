package api_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

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

// Whose answer got lost, and whose files are gone since, is told that the order was placed.
func TestPlace_onceThoughTheFilesAreGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("a.tif")
	body := func(file string) string { return manifest(nil, file) }
	key := []string{asJSON, "Idempotency-Key: k1"}
	first := s.ask(operator, http.MethodPost, "/orders", body(path), key...)
	require.Equal(t, http.StatusCreated, first.Code)
	require.NoError(t, os.Remove(path))
	for _, file := range []string{path, s.dir + "/*.tif"} {
		again := s.ask(operator, http.MethodPost, "/orders", body(file), key...)
		require.Contains(t, s.refusal(http.StatusConflict, again), "was placed before", file)
		require.Equal(t, first.Header().Get("Location"), again.Header().Get("Location"))
		other := s.ask(operator, http.MethodPost, "/orders", body(file), asJSON, "Idempotency-Key: k2")
		s.refusal(http.StatusUnprocessableEntity, other)
		require.Empty(t, other.Header().Get("Location"))
	}
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
