package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"biomero-importer/agent/config"
	"biomero-importer/agent/problem"
)

// Role is what somebody may do.
type Role int

// The roles: nothing; reading; acting too.
const (
	None Role = iota
	Viewer
	Operator
)

// String is the role as pages and settings name it.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	default:
		return "none"
	}
}

// Identity is who asks.
type Identity struct {
	Name string // the proxy's user; else the role whose token it is, or "local"
	Role Role
}

type key struct{}

// From is who asks, as Wrap found out; the zero Identity may do nothing.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(key{}).(Identity)
	return id
}

// Config is what the settings say of it.
type Config struct {
	Loopback bool // only this machine can reach the address that is listened on
	Auth     config.WebAuth
}

// Guard lets requests through, or does not.
type Guard struct {
	auth   config.WebAuth
	open   bool // nothing is asked of this machine's own requests
	cross  *http.CrossOriginProtection
	failed *failures
}

// New makes a guard.
func New(c Config) *Guard {
	g := &Guard{auth: c.Auth, open: c.Loopback && !c.Auth.Any(), cross: http.NewCrossOriginProtection(), failed: newFailures()}
	g.cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusForbidden, "This request comes from a page of another site.")
	}))
	return g
}

// public is what machines ask for that have no login.
var public = []string{"/healthz", "/readyz", "/metrics"}

// Wrap lets through whoever may read, and tells next who it is. It answers /login and
// /logout itself, keeps pages of other sites from acting, and lets anybody ask for
// /healthz, /readyz and /metrics.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return g.cross.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.open && !isLocal(r.Host) {
			refuse(w, r, http.StatusMisdirectedRequest, "This page is for this machine: ask for localhost.")
			return
		}
		if slices.Contains(public, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if g.hasTokens() && g.login(w, r) {
			return
		}
		id, ok := g.identify(w, r)
		if !ok {
			return
		}
		if id.Role == None {
			g.turnAway(w, r)
			return
		}
		// Nobody behind the guard is to read for itself who asks.
		r = r.WithContext(context.WithValue(r.Context(), key{}, id))
		r.Header = r.Header.Clone()
		r.Header.Del(g.auth.Proxy.UserHeader)
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	}))
}

// Operator lets through who may act.
func (g *Guard) Operator(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if From(r.Context()).Role != Operator {
			refuse(w, r, http.StatusForbidden, "This takes the role operator.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// identify finds out who asks. Of a token that is wrong, or may not be tried for now, it
// answers itself, unless the proxy says who it is: what it sends may be for others.
func (g *Guard) identify(w http.ResponseWriter, r *http.Request) (id Identity, ok bool) {
	id = g.proxied(r)
	if token, given := bearer(r); given && g.hasTokens() {
		client := network(peer(r))
		if id.Role != None { // others log in from the proxy's address too
			client = "user " + id.Name
		}
		role, fault := g.try(client, token)
		switch {
		case fault == 0:
			return Identity{Name: role.String(), Role: role}, true
		case id.Role == None:
			g.refuseToken(w, r, fault)
			return Identity{}, false
		}
	}
	if session := g.session(r); session.Role > id.Role {
		id = session
	}
	if id.Role == None && g.open {
		id = Identity{Name: "local", Role: Operator}
		if isForwarded(r) { // who can reach a proxy is not known
			id.Role = Viewer
		}
	}
	return id, true
}

func bearer(r *http.Request) (token string, given bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// try looks whose a token is; fault is a status other than 0 where it is nobody's, or the
// client had too many of these.
func (g *Guard) try(client, token string) (role Role, fault int) {
	if !g.failed.mayTry(client) {
		return None, http.StatusTooManyRequests
	}
	for _, known := range []Role{Viewer, Operator} { // always both: it takes the same time
		if secret := g.token(known); secret != "" && same(token, secret) {
			role = known
		}
	}
	if role == None {
		g.failed.add(client)
		return None, http.StatusUnauthorized
	}
	return role, 0
}

func (g *Guard) token(role Role) string {
	if role == Operator {
		return string(g.auth.OperatorToken)
	}
	return string(g.auth.ViewerToken)
}

func (g *Guard) hasTokens() bool { return g.token(Viewer) != "" || g.token(Operator) != "" }

// same compares in a time that says nothing of where texts differ, or of their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// proxied is who a trusted proxy says that it is.
func (g *Guard) proxied(r *http.Request) Identity {
	p := g.auth.Proxy
	from := peer(r)
	if !slices.ContainsFunc(p.From, func(trusted netip.Prefix) bool { return trusted.Contains(from) }) {
		return Identity{}
	}
	names := r.Header.Values(p.UserHeader)
	if len(names) != 1 || !isUser(names[0]) { // of two, one may be the client's own
		return Identity{}
	}
	if slices.Contains(p.Operators, names[0]) {
		return Identity{Name: names[0], Role: Operator}
	}
	return Identity{Name: names[0], Role: Viewer}
}

// isUser reports whether a text can be a user's name, and nothing that misleads who reads it.
func isUser(name string) bool {
	return name != "" && len(name) <= 200 && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// peer is who the connection is with: not what headers say of it.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// isForwarded reports whether a request says that it came through a proxy.
func isForwarded(r *http.Request) bool {
	return slices.ContainsFunc([]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "X-Real-Ip"},
		func(name string) bool { return len(r.Header.Values(name)) > 0 })
}

// isLocal reports whether a request names this machine: no page of another site is to get
// here through a name of its own that it points to this machine.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// turnAway answers who may not even read.
func (g *Guard) turnAway(w http.ResponseWriter, r *http.Request) {
	switch {
	case !g.auth.Any():
		refuse(w, r, http.StatusForbidden, "Nobody may look at this from another machine, until web.auth in the settings says who may.")
	case !g.hasTokens():
		refuse(w, r, http.StatusForbidden, "The proxy before this page does not say who you are, or is none that web.auth.proxy trusts.")
	case isPage(r):
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, loginFor(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		g.refuseToken(w, r, http.StatusUnauthorized)
	}
}

func (g *Guard) refuseToken(w http.ResponseWriter, r *http.Request, status int) {
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
		refuse(w, r, status, tooMany)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="biomero-importer"`)
	refuse(w, r, http.StatusUnauthorized, "Give a token of web.auth in the header Authorization: Bearer.")
}

// isPage reports whether a person's browser asks for a page.
func isPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// refuse says why not, as text to a browser.
func refuse(w http.ResponseWriter, r *http.Request, status int, sentence string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, sentence, status)
		return
	}
	problem.Write(w, status, sentence)
}
