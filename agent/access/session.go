package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "biomero_importer_session"
	// sessionTime is for how long a login is good.
	sessionTime = 12 * time.Hour
)

// sign is the value of a cookie: the role, until when, and a code that only who knows the
// token can make. The key of each role is its own token's, so that nobody makes one for
// a role that he has not, and a new token ends the sessions of the old one.
func (g *Guard) sign(role Role, until time.Time) string {
	text := role.String() + "." + strconv.FormatInt(until.Unix(), 10)
	code := hmac.New(sha256.New, []byte("session of "+g.token(role)))
	code.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(code.Sum(nil))
}

// session is who logged in, by the request's cookie.
func (g *Guard) session(r *http.Request) (id Identity) {
	for _, cookie := range r.CookiesNamed(cookieName) {
		_, rest, _ := strings.Cut(cookie.Value, ".")
		seconds, _, _ := strings.Cut(rest, ".")
		unix, err := strconv.ParseInt(seconds, 10, 64)
		until := time.Unix(unix, 0)
		if err != nil || !time.Now().Before(until) {
			continue
		}
		for _, role := range []Role{Viewer, Operator} {
			if role > id.Role && g.token(role) != "" && hmac.Equal([]byte(cookie.Value), []byte(g.sign(role, until))) {
				id = Identity{Name: role.String(), Role: role}
			}
		}
	}
	return id
}

// setSession begins a session, or ends it where value is empty.
func setSession(w http.ResponseWriter, r *http.Request, value string) {
	age := int(sessionTime.Seconds())
	if value == "" {
		age = -1
	}
	// A client that says it came by https and did not, hurts itself only.
	secure := r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the browser came by https
		Name: cookieName, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure,
	})
}
