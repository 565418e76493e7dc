package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	viewerToken   = "viewer-token-0123456789"
	operatorToken = "operator-token-0123456789"
)

// An order that a program places over HTTP is carried out, and only who may sees it.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	settings, err := os.ReadFile(s.settings)
	require.NoError(t, err)
	secured := strings.Replace(string(settings), `web: {listen: ""}`, `web: {listen: "127.0.0.1:0", auth: {viewer_token: `+viewerToken+`}}`, 1)
	require.NoError(t, os.WriteFile(s.settings, []byte(secured), 0o600))
	a := s.launch("WEB_OPERATOR_TOKEN=" + operatorToken)
	started := regexp.MustCompile(`"page":"(http://[^"]+)/"`)
	s.eventually(func() bool { return started.MatchString(s.log()) }, "the service starts")
	page := started.FindStringSubmatch(s.log())[1]

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(token, method, path, body string) (status int, text string) {
		r, err := http.NewRequestWithContext(t.Context(), method, page+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/yaml")
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(r)
		require.NoError(t, err)
		data, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, string(data)
	}
	s.write("pixels", "elsewhere", "a.tif")
	manifest := "{group: Demo, user: ada, destination: {type: Dataset, name: D}, files: ['" + s.path("data", "elsewhere", "*.tif") + "']}"
	status, text := ask(viewerToken, http.MethodPost, "/api/v1/orders", manifest)
	require.Equal(t, http.StatusForbidden, status, text)
	status, text = ask(operatorToken, http.MethodPost, "/api/v1/orders", manifest)
	require.Equal(t, http.StatusCreated, status, text)
	var placed struct {
		UUID string `json:"uuid"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &placed))
	s.ended(placed.UUID, 1)
	for _, path := range []string{"/api/v1/orders/" + placed.UUID, "/api/orders/" + placed.UUID, "/orders/" + placed.UUID} {
		status, text = ask(viewerToken, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, text, "Import Completed")
		status, text = ask("guess", http.MethodGet, path, "")
		require.Equal(t, http.StatusUnauthorized, status)
		require.NotContains(t, text, "Import Completed")
	}
	status, _ = ask("", http.MethodGet, "/healthz", "")
	require.Equal(t, http.StatusOK, status)
	a.stop()
	for _, token := range []string{viewerToken, operatorToken} {
		require.NotContains(t, s.log(), token)
	}
}
