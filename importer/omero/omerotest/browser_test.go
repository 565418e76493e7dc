package omerotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// browser is a client of OMERO.web that keeps cookies and follows no redirect.
type browser struct {
	t      *testing.T
	server *httptest.Server
	client *http.Client
	token  string
}

func newBrowser(t *testing.T, server *httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := *server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(client.CloseIdleConnections)
	return &browser{t: t, server: server, client: &client}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &o), r.body)
	return o
}

func (b *browser) do(method, path, contentType, body string) reply {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	require.NoError(b.t, err)
	request.Header.Set("Content-Type", contentType)
	if b.token != "" {
		request.Header.Set("X-CSRFToken", b.token)
		request.Header.Set("Referer", b.server.URL+"/webclient/")
	}
	response, err := b.client.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text), err}
}

func (b *browser) get(path string) reply { return b.do(http.MethodGet, path, "", "") }

func (b *browser) post(path string, form url.Values) reply {
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
}

func (b *browser) fetchToken() {
	b.t.Helper()
	r := b.get("/api/v0/token/")
	require.Equal(b.t, http.StatusOK, r.status)
	b.token, _ = r.object(b.t)["data"].(string)
	require.NotEmpty(b.t, b.token)
}

func (b *browser) login(user, password string) reply {
	b.t.Helper()
	b.fetchToken()
	return b.post("/api/v0/login/", url.Values{"server": {"1"}, "username": {user}, "password": {password}})
}

// ids are those of a list.
func ids(t *testing.T, r reply) []int {
	t.Helper()
	var list struct {
		Data []struct {
			ID int `json:"@id"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &list), r.body)
	all := []int{}
	for _, o := range list.Data {
		all = append(all, o.ID)
	}
	return all
}
