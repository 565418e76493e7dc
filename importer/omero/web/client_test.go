package web_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/model"
	"biomero-importer/importer/omero/web"
)

// config is that for the fake.
func (f *fake) config() web.Config {
	return web.Config{URL: f.server.URL, User: "importer", Password: "s3cret!"}
}

// client returns one that asks the fake without much patience.
func (f *fake) client() *web.Client {
	f.t.Helper()
	return newClient(f.t, f.config())
}

func newClient(t *testing.T, config web.Config) *web.Client {
	t.Helper()
	c, err := web.New(config, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	c.Hurry()
	return c
}

// session opens one of alice in her group lab.
func (f *fake) session() *web.Session {
	f.t.Helper()
	s, err := f.client().Login(f.t.Context(), "alice", "lab")
	require.NoError(f.t, err)
	return s
}

func TestNewSaysWhatToMend(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	junk := filepath.Join(folder, "junk.pem")
	require.NoError(t, os.WriteFile(junk, []byte("no certificate"), 0o600))
	good := web.Config{URL: "https://omero.example.org", User: "importer", Password: "s3cret!"}
	for name, tc := range map[string]struct {
		change func(c *web.Config)
		want   string
	}{
		"good":           {func(*web.Config) {}, ""},
		"prefix":         {func(c *web.Config) { c.URL = "http://example.org:4080/omero/" }, ""},
		"no URL":         {func(c *web.Config) { c.URL = "" }, "give one like https://"},
		"no scheme":      {func(c *web.Config) { c.URL = "omero.example.org" }, "not a http or https URL"},
		"other scheme":   {func(c *web.Config) { c.URL = "ftp://omero.example.org" }, "not a http or https URL"},
		"no host":        {func(c *web.Config) { c.URL = "https:///omero" }, "not a http or https URL"},
		"not a URL":      {func(c *web.Config) { c.URL = "https://importer:s3cret!@exa mple" }, "is not a URL"},
		"with password":  {func(c *web.Config) { c.URL = "https://importer:s3cret!@example.org" }, "settings of their own"},
		"with query":     {func(c *web.Config) { c.URL = "https://example.org/?server=1" }, "more than a path"},
		"a page":         {func(c *web.Config) { c.URL = "https://example.org/omero/webclient/" }, "give https://example.org/omero"},
		"no user":        {func(c *web.Config) { c.User = "" }, "name and the password"},
		"no password":    {func(c *web.Config) { c.Password = "" }, "name and the password"},
		"no such CA":     {func(c *web.Config) { c.CAFile = filepath.Join(folder, "none.pem") }, "cannot be read"},
		"CA of nothing":  {func(c *web.Config) { c.CAFile = junk }, "name a PEM file"},
		"endless":        {func(c *web.Config) { c.Timeout = -1 }, "positive"},
		"encoded prefix": {func(c *web.Config) { c.URL = "https://example.org/a%2Fb/" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			tc.change(&config)
			_, err := web.New(config, slog.New(slog.DiscardHandler))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "s3cret!")
		})
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	require.NoError(t, f.client().Ping(t.Context()))
	require.Zero(t, f.open(), "the session is closed")
}

func TestPingBelowPrefix(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	config := f.config()
	config.URL += "/omero/"
	require.NoError(t, newClient(t, config).Ping(t.Context()))
	require.Zero(t, f.open())
}

func TestOwnAccountRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(f *fake, c *web.Config)
		want   string
	}{
		"password":         {func(_ *fake, c *web.Config) { c.Password = "wrong" }, "check your user name and password"},
		"no administrator": {func(f *fake, _ *web.Config) { f.admin = false }, "not an administrator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			config := f.config()
			tc.change(f, &config)
			c := newClient(t, config)
			for _, err := range []error{c.Ping(t.Context()), loginError(t, c, "alice", "lab")} {
				refused := (*model.LoginError)(nil)
				require.ErrorAs(t, err, &refused)
				require.True(t, refused.Own)
				require.ErrorContains(t, err, tc.want)
				require.NotContains(t, err.Error(), config.Password)
				require.NotErrorIs(t, err, model.ErrUnavailable)
			}
			require.Zero(t, f.open())
		})
	}
}

func loginError(t *testing.T, c *web.Client, user, group string) error {
	t.Helper()
	s, err := c.Login(t.Context(), user, group)
	require.Nil(t, s)
	return err
}

func TestServer(t *testing.T) {
	t.Parallel()
	const (
		none = `{"data":[]}`
		one  = `{"data":[{"id":1,"host":"omero","port":4064,"server":"first"}]}`
		two  = `{"data":[{"id":3,"host":"other","port":4064},{"id":1,"host":"omero","port":4064,"server":"first"}]}`
	)
	for name, tc := range map[string]struct{ list, server, want string }{
		"the only one":             {one, "", ""},
		"the only one, other name": {one, "omero.example.org", ""},
		"by host":                  {two, "Omero", ""},
		"by name":                  {two, "first", ""},
		"the first":                {two, "", "user name and password"}, // the fake's is the second
		"none of that name":        {two, "omero.example.org", "name one of these: other, omero"},
		"none":                     {none, "", "it knows none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			f.on("GET /api/v0/servers/", says(http.StatusOK, "application/json", tc.list))
			config := f.config()
			config.Server = tc.server
			err := newClient(t, config).Ping(t.Context())
			if tc.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.want)
			}
		})
	}
}

func TestServerIsDown(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.on("POST /api/v0/login/", says(http.StatusForbidden, "application/json",
		`{"message":"Server is not responding, please contact administrator."}`))
	err := f.client().Ping(t.Context())
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "Server is not responding")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ca := f.startTLS()
	config := f.config()
	config.CAFile = ca
	c := newClient(t, config)
	require.NoError(t, c.Ping(t.Context()), "with the referer that the fake wants")

	config.CAFile = ""
	err := newClient(t, config).Ping(t.Context())
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "not trusted")

	config.URL = strings.Replace(config.URL, "https", "http", 1)
	require.ErrorIs(t, newClient(t, config).Ping(t.Context()), model.ErrUnavailable)
}
