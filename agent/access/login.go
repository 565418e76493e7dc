package access

import (
	"bytes"
	_ "embed" // the form
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed login.html
var form string

var loginPage = template.Must(template.New("login").Parse(form))

const tooMany = "Too many wrong tokens came from your address: try again in a minute."

// login answers /login and /logout, and reports whether the request was one of these.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method + " " + r.URL.Path {
	case "GET /login", "HEAD /login":
		showLogin(w, http.StatusOK, "", r.URL.Query().Get("next"))
	case "POST /login":
		r.Body = http.MaxBytesReader(w, r.Body, 4096)
		next := r.PostFormValue("next")
		role, fault := g.try(network(peer(r)), strings.TrimSpace(r.PostFormValue("token")))
		switch fault {
		case 0:
			setSession(w, r, g.sign(role, time.Now().Add(sessionTime)))
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, ownPath(next), http.StatusSeeOther) //nolint:gosec // ownPath leads to no other site
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "60")
			showLogin(w, fault, tooMany, next)
		default:
			showLogin(w, fault, "That is no token of this service.", next)
		}
	case "POST /logout":
		setSession(w, r, "")
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	default:
		return false
	}
	return true
}

func showLogin(w http.ResponseWriter, status int, fault, next string) {
	var page bytes.Buffer
	if err := loginPage.Execute(&page, map[string]string{"Fault": fault, "Next": ownPath(next)}); err != nil {
		http.Error(w, "The form cannot be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}

func loginFor(path string) string { return "/login?" + url.Values{"next": {ownPath(path)}}.Encode() }

// ownPath is a path of this service, and never another site: browsers take \ for /, and
// leave out tabs and line ends.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || u.Opaque != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) || u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return path
}
