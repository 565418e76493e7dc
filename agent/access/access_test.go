package access_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/access"
	"biomero-importer/agent/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	viewer   = "viewer-token-0123456789"
	operator = "operator-token-0123456789"
	near     = "127.0.0.1:40000"
	far      = "203.0.113.7:40000"
	proxy    = "10.0.0.2:40000"
)

var (
	tokens  = config.WebAuth{ViewerToken: viewer, OperatorToken: operator, Proxy: config.WebProxy{UserHeader: "X-Forwarded-User"}}
	proxied = config.WebAuth{Proxy: config.WebProxy{
		From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, UserHeader: "X-Forwarded-User", Operators: []string{"ada"},
	}}
	nothing = config.WebAuth{Proxy: config.WebProxy{UserHeader: "X-Forwarded-User"}}
	both    = config.WebAuth{ViewerToken: viewer, OperatorToken: operator, Proxy: proxied.Proxy}
)

// whoami tells who asks; what begins with /act is for operators.
func whoami(g *access.Guard) http.Handler {
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := access.From(r.Context())
		_, _ = fmt.Fprintf(w, "%s %s%s%s", id.Role, id.Name, r.Header.Get("Authorization"), r.Header.Get("X-Forwarded-User"))
	})
	mux := http.NewServeMux()
	mux.Handle("/", tell)
	mux.Handle("/act", g.Operator(tell))
	return g.Wrap(mux)
}

// request is one of a client; headers are "Name: value".
func request(method, path, from string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func guard(loopback bool, auth config.WebAuth) http.Handler {
	return whoami(access.New(access.Config{Loopback: loopback, Auth: auth}))
}

func TestGuard(t *testing.T) {
	t.Parallel()
	local := guard(true, nothing)
	closed := guard(false, nothing)
	secured := guard(false, tokens)
	nearby := guard(true, tokens)
	behind := guard(false, proxied)
	mixed := guard(false, both)
	for name, c := range map[string]struct {
		to       http.Handler
		method   string
		path     string
		from     string
		headers  []string
		status   int
		contains string
	}{
		"this machine reads":              {local, "GET", "/", near, []string{"Host: localhost:8080"}, 200, "operator local"},
		"this machine acts":               {local, "POST", "/act", near, []string{"Host: 127.0.0.1:8080"}, 200, "operator local"},
		"this machine, over IPv6":         {local, "GET", "/", "[::1]:4000", []string{"Host: [::1]:8080"}, 200, "operator local"},
		"a name that is rebound":          {local, "GET", "/", near, []string{"Host: evil.example:8080"}, 421, "localhost"},
		"a name like localhost":           {local, "GET", "/", near, []string{"Host: localhost.evil.example"}, 421, "localhost"},
		"a name with a local address":     {local, "GET", "/", near, []string{"Host: 127.0.0.1.nip.example"}, 421, "localhost"},
		"no name":                         {local, "GET", "/", near, []string{"Host: "}, 421, "localhost"},
		"a rebound name's health":         {local, "GET", "/healthz", near, []string{"Host: evil.example"}, 421, "localhost"},
		"through an unknown proxy":        {local, "GET", "/", near, []string{"Host: localhost", "X-Forwarded-For: 203.0.113.7"}, 200, "viewer local"},
		"acts through an unknown proxy":   {local, "POST", "/act", near, []string{"Host: localhost", "Via: 1.1 proxy"}, 403, "operator"},
		"calls itself a user there":       {local, "POST", "/act", near, []string{"Host: localhost", "X-Forwarded-User: ada"}, 403, "operator"},
		"another site's form":             {local, "POST", "/act", near, []string{"Host: localhost:8080", "Sec-Fetch-Site: cross-site"}, 403, "another site"},
		"another port's form":             {local, "POST", "/act", near, []string{"Host: localhost:8080", "Sec-Fetch-Site: same-site"}, 403, "another site"},
		"an old browser's form":           {local, "POST", "/act", near, []string{"Host: localhost:8080", "Origin: http://evil.example"}, 403, "another site"},
		"a form without an origin":        {local, "POST", "/act", near, []string{"Host: localhost:8080", "Origin: null"}, 403, "another site"},
		"its own form":                    {local, "POST", "/act", near, []string{"Host: localhost:8080", "Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"}, 200, "operator"},
		"from elsewhere, without setting": {closed, "GET", "/", far, nil, 403, "web.auth"},
		"names this machine elsewhere":    {closed, "GET", "/", far, []string{"Host: localhost"}, 403, "web.auth"},
		"calls itself a user":             {closed, "GET", "/", far, []string{"X-Forwarded-User: ada"}, 403, "web.auth"},
		"an empty token":                  {closed, "GET", "/", far, []string{"Authorization: Bearer "}, 403, "web.auth"},
		"a token, without setting":        {closed, "GET", "/", far, []string{"Authorization: Bearer " + operator}, 403, "web.auth"},
		"the proxy's own token":           {behind, "GET", "/", proxy, []string{"X-Forwarded-User: bob", "Authorization: Bearer x"}, 200, "viewer bob"},
		"the proxy's own, beside ours":    {mixed, "GET", "/", proxy, []string{"X-Forwarded-User: bob", "Authorization: Bearer x"}, 200, "viewer bob"},
		"the proxy's own, of nobody":      {mixed, "GET", "/", proxy, []string{"Authorization: Bearer x"}, 401, "token"},
		"health":                          {closed, "GET", "/healthz", far, nil, 200, "none"},
		"readiness":                       {secured, "GET", "/readyz", far, nil, 200, "none"},
		"metrics":                         {secured, "GET", "/metrics", far, nil, 200, "none"},
		"metrics of a proxy":              {behind, "GET", "/metrics", far, nil, 200, "none"},
		"beside health":                   {secured, "GET", "/healthz/", far, nil, 401, "token"},
		"by way of health":                {secured, "GET", "/healthz/../act", far, nil, 401, "token"},
		"health in escapes":               {secured, "GET", "/%68ealthz%2f..%2fact", far, nil, 401, "token"},
		"no token":                        {secured, "GET", "/", far, nil, 401, "token"},
		"a viewer's token":                {secured, "GET", "/", far, []string{"Authorization: Bearer " + viewer}, 200, "viewer viewer"},
		"a viewer acts":                   {secured, "POST", "/act", far, []string{"Authorization: Bearer " + viewer}, 403, "operator"},
		"an operator acts":                {secured, "POST", "/act", far, []string{"authorization: bearer " + operator}, 200, "operator operator"},
		"a wrong token":                   {secured, "GET", "/", far, []string{"Authorization: Bearer " + viewer + "x"}, 401, "token"},
		"a part of a token":               {secured, "GET", "/", far, []string{"Authorization: Bearer " + viewer[:20]}, 401, "token"},
		"a token as a password":           {secured, "GET", "/", far, []string{"Authorization: Basic " + viewer}, 401, "token"},
		"a token in the address":          {secured, "GET", "/?token=" + viewer, far, nil, 401, "token"},
		"a token as a cookie":             {secured, "GET", "/", far, []string{"Cookie: biomero_importer_session=" + viewer}, 401, "token"},
		"no proxy is trusted":             {secured, "GET", "/", proxy, []string{"X-Forwarded-User: ada"}, 401, "token"},
		"this machine, tokens set":        {nearby, "GET", "/", near, []string{"Host: localhost"}, 401, "token"},
		"this machine's proxy, a token":   {nearby, "GET", "/", near, []string{"Host: omero.example", "Authorization: Bearer " + viewer}, 200, "viewer"},
		"the proxy's user":                {behind, "GET", "/", proxy, []string{"X-Forwarded-User: bob"}, 200, "viewer bob"},
		"the proxy's user acts":           {behind, "POST", "/act", proxy, []string{"X-Forwarded-User: bob"}, 403, "operator"},
		"the proxy's operator":            {behind, "POST", "/act", proxy, []string{"X-Forwarded-User: ada"}, 200, "operator ada"},
		"another spelling of ada":         {behind, "POST", "/act", proxy, []string{"X-Forwarded-User: Ada"}, 403, "operator"},
		"the proxy over mapped IPv4":      {behind, "GET", "/", "[::ffff:10.0.0.2]:4000", []string{"X-Forwarded-User: bob"}, 200, "viewer bob"},
		"the proxy names nobody":          {behind, "GET", "/", proxy, nil, 403, "proxy"},
		"the proxy adds to a client's":    {behind, "GET", "/", proxy, []string{"X-Forwarded-User: ada", "X-Forwarded-User: bob"}, 403, "proxy"},
		"a name that misleads":            {behind, "GET", "/", proxy, []string{"X-Forwarded-User: bob\u202eada"}, 403, "proxy"},
		"a name that is none":             {behind, "GET", "/", proxy, []string{"X-Forwarded-User: " + strings.Repeat("a", 1000)}, 403, "proxy"},
		"a client beside the proxy":       {behind, "GET", "/", far, []string{"X-Forwarded-User: ada", "X-Forwarded-For: 10.0.0.2"}, 403, "proxy"},
		"this machine beside the proxy":   {behind, "GET", "/", near, []string{"Host: localhost", "X-Forwarded-User: ada"}, 403, "proxy"},
		"no address":                      {behind, "GET", "/", "@", []string{"X-Forwarded-User: ada"}, 403, "proxy"},
		"a token beside the proxy":        {mixed, "POST", "/act", far, []string{"Authorization: Bearer " + operator}, 200, "operator operator"},
		"a token through the proxy":       {mixed, "POST", "/act", proxy, []string{"X-Forwarded-User: bob", "Authorization: Bearer " + operator}, 200, "operator operator"},
		"another site's form, proxied":    {behind, "POST", "/act", proxy, []string{"X-Forwarded-User: ada", "Sec-Fetch-Site: cross-site"}, 403, "another site"},
	} {
		w := ask(c.to, request(c.method, c.path, c.from, c.headers...))
		require.Equal(t, c.status, w.Code, "%s: %s", name, w.Body)
		require.Contains(t, w.Body.String(), c.contains, name)
		require.NotContains(t, w.Body.String()+fmt.Sprint(w.Header()), "-token-", name)
		if c.status > 400 {
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
		}
	}
}

// login logs in with a token and returns the answer.
func login(h http.Handler, from, token, next string, headers ...string) *httptest.ResponseRecorder {
	r := request(http.MethodPost, "/login", from, append(headers, "Content-Type: application/x-www-form-urlencoded")...)
	body := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}, "next": {next}}.Encode()))
	r.Body, r.ContentLength = body.Body, body.ContentLength
	return ask(h, r)
}

// cookie is the session that an answer begins.
func cookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	return cookies[0]
}

func TestLogin(t *testing.T) {
	t.Parallel()
	h := guard(false, tokens)
	page := ask(h, request(http.MethodGet, "/orders/7?stage=failed", far, "Accept: text/html,*/*"))
	require.Equal(t, http.StatusSeeOther, page.Code)
	require.Equal(t, "/login?next=%2Forders%2F7%3Fstage%3Dfailed", page.Header().Get("Location"))
	form := ask(h, request(http.MethodGet, page.Header().Get("Location"), far))
	require.Equal(t, http.StatusOK, form.Code)
	require.Contains(t, form.Body.String(), `value="/orders/7?stage=failed"`)
	require.Contains(t, form.Header().Get("Content-Security-Policy"), "default-src 'none'")

	w := login(h, far, operator, "/orders/7?stage=failed")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/orders/7?stage=failed", w.Header().Get("Location"))
	session := cookie(t, w)
	require.True(t, session.HttpOnly)
	require.False(t, session.Secure)
	require.Equal(t, http.SameSiteStrictMode, session.SameSite)
	require.NotContains(t, session.Value, operator)
	require.Equal(t, "operator operator", ask(h, request(http.MethodPost, "/act", far, "Cookie: "+session.Name+"="+session.Value)).Body.String())
	require.Equal(t, http.StatusForbidden, ask(h, request(http.MethodPost, "/act", far, "Cookie: "+session.Name+"="+session.Value, "Sec-Fetch-Site: cross-site")).Code)

	require.True(t, cookie(t, login(h, far, operator, "/", "X-Forwarded-Proto: https")).Secure)
	require.Equal(t, http.StatusForbidden, login(h, far, operator, "/", "Sec-Fetch-Site: cross-site").Code)
	out := ask(h, request(http.MethodPost, "/logout", far, "Cookie: "+session.Name+"="+session.Value))
	require.Negative(t, cookie(t, out).MaxAge)

	wrong := login(h, far, "<script>"+operator, `"><script>`)
	require.Equal(t, http.StatusUnauthorized, wrong.Code)
	require.NotContains(t, wrong.Body.String(), "script>")
	require.Empty(t, wrong.Header().Values("Set-Cookie"))
	require.Equal(t, http.StatusUnauthorized, login(h, far, "", "/").Code)
	require.Equal(t, http.StatusUnauthorized, login(h, far, strings.Repeat("a", 1<<20), "/").Code)
	// Without tokens there is nothing to log in with.
	require.Equal(t, http.StatusForbidden, ask(guard(false, proxied), request(http.MethodGet, "/login", far)).Code)
	// With one, the other is not the empty text.
	one := guard(false, config.WebAuth{ViewerToken: viewer, Proxy: nothing.Proxy})
	require.Equal(t, http.StatusUnauthorized, login(one, far, "", "/").Code)
	require.Equal(t, http.StatusUnauthorized, ask(one, request(http.MethodGet, "/", far, "Authorization: Bearer")).Code)
}

// What a login leads to is a page of this service.
func TestLogin_leadsToNoOtherSite(t *testing.T) {
	t.Parallel()
	h := guard(false, tokens)
	for _, next := range []string{
		"", "https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example",
		"javascript:alert(1)", "evil.example", " //evil.example", "/login", "/logout", "http:evil.example", "///evil.example", "%2f%2fevil.example", "/%zz",
	} {
		require.Equal(t, "/", login(h, far, viewer, next).Header().Get("Location"), "%q", next)
		form := ask(h, request(http.MethodGet, "/login?next="+url.QueryEscape(next), far))
		require.Contains(t, form.Body.String(), `value="/"`, "%q", next)
	}
}

func TestSession_isNotForged(t *testing.T) {
	t.Parallel()
	h := guard(false, tokens)
	session := cookie(t, login(h, far, viewer, "/")).Value
	parts := strings.Split(session, ".")
	require.Len(t, parts, 3)
	for _, value := range []string{
		"", ".", "..", "operator." + parts[1] + "." + parts[2], "viewer.9999999999." + parts[2], parts[0] + "." + parts[1] + ".",
		parts[0] + "." + parts[1], session + "x", "viewer.x." + parts[2], "none." + parts[1] + "." + parts[2], "viewer.+" + parts[1] + "." + parts[2],
		"viewer.0" + parts[1] + "." + parts[2],
	} {
		require.Equal(t, http.StatusUnauthorized, ask(h, request(http.MethodGet, "/", far, "Cookie: biomero_importer_session="+value)).Code, value)
	}
	// Beside one that somebody planted, the right one counts.
	require.Equal(t, "viewer viewer", ask(h, request(http.MethodGet, "/", far, "Cookie: biomero_importer_session=x; biomero_importer_session="+session)).Body.String())
	// Who knows the viewers' token makes no operator's session of it, where there is no operator's token.
	forger := guard(false, config.WebAuth{OperatorToken: viewer, Proxy: nothing.Proxy})
	forged := cookie(t, login(forger, far, viewer, "/")).Value
	one := guard(false, config.WebAuth{ViewerToken: viewer, Proxy: nothing.Proxy})
	require.Equal(t, http.StatusUnauthorized, ask(one, request(http.MethodGet, "/", far, "Cookie: biomero_importer_session="+forged)).Code)
	// A new token ends sessions of the old one; a restart with the same does not.
	require.Equal(t, http.StatusOK, ask(one, request(http.MethodGet, "/", far, "Cookie: biomero_importer_session="+session)).Code)
	changed := guard(false, config.WebAuth{ViewerToken: viewer + "2", OperatorToken: operator, Proxy: nothing.Proxy})
	require.Equal(t, http.StatusUnauthorized, ask(changed, request(http.MethodGet, "/", far, "Cookie: biomero_importer_session="+session)).Code)
}

func TestSession_expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := guard(false, tokens)
		session := "Cookie: biomero_importer_session=" + cookie(t, login(h, far, viewer, "/")).Value
		time.Sleep(12*time.Hour - 2*time.Second)
		require.Equal(t, http.StatusOK, ask(h, request(http.MethodGet, "/", far, session)).Code)
		time.Sleep(2 * time.Second)
		require.Equal(t, http.StatusUnauthorized, ask(h, request(http.MethodGet, "/", far, session)).Code)
	})
}

// A session of the proxy's user is not taken away by one that may do less.
func TestSession_addsToTheProxysUser(t *testing.T) {
	t.Parallel()
	h := guard(false, both)
	session := "Cookie: biomero_importer_session=" + cookie(t, login(h, proxy, operator, "/")).Value
	require.Equal(t, "operator operator", ask(h, request(http.MethodGet, "/", proxy, "X-Forwarded-User: bob", session)).Body.String())
	weak := "Cookie: biomero_importer_session=" + cookie(t, login(h, proxy, viewer, "/")).Value
	require.Equal(t, "operator ada", ask(h, request(http.MethodGet, "/", proxy, "X-Forwarded-User: ada", weak)).Body.String())
}

// Whoever guesses tokens is soon told nothing any more, and others are let in meanwhile.
func TestGuard_stopsGuessing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := guard(false, tokens)
		session := "Cookie: biomero_importer_session=" + cookie(t, login(h, far, viewer, "/")).Value
		guess := func(from, token string) int {
			return ask(h, request(http.MethodGet, "/", from, "Authorization: Bearer "+token)).Code
		}
		for range 5 {
			require.Equal(t, http.StatusUnauthorized, guess(far, "wrong"))
			require.Equal(t, http.StatusUnauthorized, login(h, far, "wrong", "/").Code)
		}
		require.Equal(t, http.StatusTooManyRequests, guess(far, "wrong"))
		require.Equal(t, http.StatusTooManyRequests, guess(far, operator))
		w := login(h, far, operator, "/")
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Equal(t, "60", w.Header().Get("Retry-After"))
		require.Equal(t, http.StatusOK, ask(h, request(http.MethodGet, "/", far, session)).Code)
		require.Equal(t, http.StatusOK, guess("203.0.113.8:1", operator))
		time.Sleep(6 * time.Second)
		require.Equal(t, http.StatusOK, guess(far, operator))

		// One network of IPv6 is one client.
		for n := range 10 {
			require.Equal(t, http.StatusUnauthorized, guess(fmt.Sprintf("[2001:db8:1:2::%x]:1", n), "wrong"))
		}
		require.Equal(t, http.StatusTooManyRequests, guess("[2001:db8:1:2:ffff::1]:1", "wrong"))
		// However many there are.
		for n := range 25_000 {
			require.Equal(t, http.StatusUnauthorized, guess(fmt.Sprintf("[2001:db9:%x::1]:1", n), "wrong"))
		}
	})
}

// What a proxy sends along of its own user, with each request, keeps nobody from logging in
// through it; that user does not guess by it either.
func TestGuard_countsGuessesOfAProxysUserApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := guard(false, both)
		bob := func(token string) string {
			return ask(h, request(http.MethodGet, "/", proxy, "X-Forwarded-User: bob", "Authorization: Bearer "+token)).Body.String()
		}
		require.Equal(t, "operator operator", bob(operator))
		for range 20 {
			require.Equal(t, "viewer bob", bob("wrong"))
		}
		require.Equal(t, "viewer bob", bob(operator))
		require.Equal(t, http.StatusSeeOther, login(h, proxy, operator, "/").Code)
	})
}

// However a browser reads the path that a login leads to, it stays with the service.
func FuzzOwnPath(f *testing.F) {
	for _, seed := range []string{"/orders/7?a=b#c", "//evil.example", `/\evil.example`, "/%2fevil.example", "/\x00/evil.example", "https:evil.example"} {
		f.Add(seed)
	}
	base, err := url.Parse("http://importer.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		to, err := base.Parse(access.OwnPath(path))
		require.NoError(t, err)
		require.Equal(t, "http://importer.example", to.Scheme+"://"+to.Host)
		require.NotContains(t, access.OwnPath(path), `\`)
		require.False(t, strings.HasPrefix(access.OwnPath(path), "//"))
	})
}
