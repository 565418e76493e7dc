package web

import (
	"crypto/rand"
	"net/http"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

const (
	csrfCookie    = "csrftoken"
	sessionCookie = "sessionid"
)

// actor is who sends a request: by "bsession", which joins a session of the server
// and keeps it for later requests, or else by the cookie.
func (h *Handler) actor(w http.ResponseWriter, r *http.Request) (server.Actor, bool) {
	query := r.URL.Query()
	cookie, key := h.session(r)
	joins := false
	if b := query.Get("bsession"); b != "" && (key != "" || query.Get("server") == "1") {
		key, joins = b, true
	}
	if key == "" {
		return server.Actor{}, false
	}
	a, err := h.join(key)
	if err != nil {
		h.keep(w, cookie, "")
		return server.Actor{}, false
	}
	if joins {
		h.keep(w, cookie, key)
	}
	return a, true
}

func (h *Handler) join(key string) (a server.Actor, err error) {
	err = h.store.Update(func(tx *server.Tx) (err error) {
		a, err = tx.Join(key)
		return err
	})
	return a, err
}

// session is the value of a request's cookie, and the key that it stands for.
func (h *Handler) session(r *http.Request) (cookie, key string) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return c.Value, h.sessions[c.Value]
}

// keep has a cookie stand for a session of the server; none for no key. A request
// without a cookie gets one.
func (h *Handler) keep(w http.ResponseWriter, cookie, key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if key == "" {
		delete(h.sessions, cookie)
		return
	}
	if _, known := h.sessions[cookie]; !known {
		cookie = rand.Text()
		setCookie(w, sessionCookie, cookie)
	}
	h.sessions[cookie] = key
}

func setCookie(w http.ResponseWriter, name, value string) {
	//nolint:gosec // as OMERO.web sets them by default
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", SameSite: http.SameSiteLaxMode})
}

// token gives the token against cross-site request forgery, which is that of the
// cookie.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	token := ""
	if c, err := r.Cookie(csrfCookie); err == nil {
		token = c.Value
	}
	if token == "" {
		token = rand.Text()
	}
	setCookie(w, csrfCookie, token)
	answer(w, http.StatusOK, object{"data": token})
}

func (h *Handler) servers(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, object{"data": []object{{"id": 1, "host": h.host, "port": 4064, "server": "omero"}}})
}

// login opens a session with a name and a password. An empty form tells about the
// session that there is, as one that su opened (contract, "As another user").
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		fail(w, http.StatusMethodNotAllowed, "POST only with username, password, server and csrftoken")
		return
	}
	form := map[string]string{}
	for _, field := range []string{"server", "username", "password"} {
		form[field] = r.PostFormValue(field)
	}
	cookie, key := h.session(r)
	if form["server"] == "" && form["username"] == "" && form["password"] == "" && key != "" {
		if a, err := h.join(key); err == nil {
			h.loggedIn(w, a)
			return
		}
	}
	if message := invalid(form); message != "" {
		fail(w, http.StatusForbidden, message)
		return
	}
	var s server.Session
	err := h.store.Update(func(tx *server.Tx) (err error) {
		s, err = tx.Login(form["username"], form["password"], "")
		return err
	})
	if err != nil {
		fail(w, http.StatusForbidden, "Connection not available, please check your user name and password.")
		return
	}
	a, err := h.join(s.UUID)
	if err != nil {
		serverError(w)
		return
	}
	h.keep(w, cookie, s.UUID)
	h.loggedIn(w, a)
}

func invalid(form map[string]string) string {
	var messages []string
	for _, field := range []struct{ name, label string }{
		{"server", "Server"}, {"username", "Username"}, {"password", "Password"},
	} {
		if form[field.name] == "" {
			messages = append(messages, field.label+": This field is required.")
		}
	}
	if messages == nil && form["server"] != "1" {
		return "Server: Select a valid choice. " + form["server"] + " is not one of the available choices."
	}
	return strings.Join(messages, " ")
}

func (h *Handler) loggedIn(w http.ResponseWriter, a server.Actor) {
	members, leads := []int64{}, []int64{}
	_ = h.store.View(func(world *server.World) {
		for _, m := range world.Members() {
			if m.User != a.User.ID {
				continue
			}
			members = append(members, m.Group)
			if m.Leader {
				leads = append(leads, m.Group)
			}
		}
	})
	answer(w, http.StatusOK, object{"success": true, "eventContext": object{
		"sessionId": a.Session.ID, "sessionUuid": a.Session.UUID,
		"userId": a.User.ID, "userName": a.User.Name, "groupId": a.Group.ID, "groupName": a.Group.Name,
		"isAdmin": a.User.Admin, "eventId": -1, "eventType": "User",
		"memberOfGroups": members, "leaderOfGroups": leads,
	}})
}

func (h *Handler) loginPage(w http.ResponseWriter, _ *http.Request) {
	htmlPage(w, http.StatusOK, "OMERO.web - Login")
}

// logout closes the session on the server.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request, a server.Actor) {
	if r.Method != http.MethodPost {
		htmlPage(w, http.StatusOK, "Do you want to log out?")
		return
	}
	err := h.store.Update(func(tx *server.Tx) error { tx.CloseSession(a.Session.UUID); return nil })
	if err != nil {
		serverError(w)
		return
	}
	cookie, _ := h.session(r)
	h.keep(w, cookie, "")
	http.Redirect(w, r, "/webclient/login/", http.StatusFound)
}

// su makes the session one of another user, in that user's own group. The admin's
// is closed.
func (h *Handler) su(w http.ResponseWriter, r *http.Request, a server.Actor) {
	if !a.User.Admin {
		htmlPage(w, http.StatusNotFound, "Page not found (404)")
		return
	}
	if r.Method != http.MethodPost {
		htmlPage(w, http.StatusOK, "Do you want to su to "+r.PathValue("user"))
		return
	}
	var s server.Session
	err := h.store.Update(func(tx *server.Tx) (err error) {
		s, err = tx.SudoAs(a.User, r.PathValue("user"), "")
		if err == nil {
			err = tx.SetIdle(s.UUID, a.Session.Idle)
			tx.CloseSession(a.Session.UUID)
		}
		return err
	})
	switch {
	case server.Is(err, server.SecurityViolation):
		fail(w, http.StatusForbidden, err.Error())
		return
	case server.Is(err, server.APIUsage):
		fail(w, http.StatusInternalServerError, "'NoneType' object has no attribute '_sessionUuid'")
		return
	case err != nil:
		serverError(w)
		return
	}
	cookie, _ := h.session(r)
	h.keep(w, cookie, s.UUID)
	answer(w, http.StatusOK, true)
}
