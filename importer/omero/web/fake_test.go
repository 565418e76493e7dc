package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// handler answers a request instead of the fake, unless it returns false.
type handler func(w http.ResponseWriter, r *http.Request) bool

// container is a Project, Dataset or Screen of the fake.
type container struct {
	kind    string
	id      int64
	name    string
	owner   int64
	group   int64
	canLink bool
	project int64
	images  int
}

// login is a session of the fake: what hangs on a cookie.
type login struct {
	user   string
	uuid   string
	active int64
}

// fake pretends to be OMERO.web. Its administrator is importer with the password s3cret!;
// alice, 7, is in the groups lab, 3, and team, 4.
type fake struct {
	t      *testing.T
	server *httptest.Server

	mu         sync.Mutex
	instead    map[string][]handler // by method and path; taken one by one, the last one stays if it is keep
	requests   []string
	sessions   map[string]*login // by cookie
	ended      []string          // by uuid
	containers []container
	annotated  []url.Values
	named      []string
	groups     []int64 // in which names were given
	pageSize   int
	next       int64
	admin      bool
	mangle     func(list []container) []container // of what a page is cut out
}

var users = map[string]int64{"importer": 2, "alice": 7, "bob": 8}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		t: t, instead: map[string][]handler{}, sessions: map[string]*login{}, pageSize: 500, next: 100, admin: true,
		mangle: func(list []container) []container { return list },
	}
	return f
}

// start serves over plain HTTP.
func (f *fake) start() *fake {
	f.server = httptest.NewServer(f)
	f.t.Cleanup(f.server.Close)
	return f
}

// on has requests answered by handlers, one after the other, before the fake takes over.
func (f *fake) on(what string, h ...handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead[what] = append(f.instead[what], h...)
}

// always has requests answered by a handler.
func (f *fake) always(what string, h handler) {
	f.on(what, slices.Repeat([]handler{h}, 100)...)
}

// count tells how often something was asked.
func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if r == what {
			n++
		}
	}
	return n
}

// open tells how many sessions were not ended.
func (f *fake) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions)
}

// end ends all sessions.
func (f *fake) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.sessions)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/omero")
	f.mu.Lock()
	f.requests = append(f.requests, what)
	var h handler
	if list := f.instead[what]; len(list) > 0 {
		h, f.instead[what] = list[0], list[1:]
	}
	f.mu.Unlock()
	if h != nil && h(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/omero")
	if r.Method == http.MethodPost {
		token, err := r.Cookie("csrftoken")
		if err != nil || token.Value != r.Header.Get("X-CSRFToken") || r.TLS != nil && !strings.HasPrefix(r.Referer(), "https://"+r.Host+"/") {
			reply(w, http.StatusForbidden, map[string]any{"message": "CSRF Error. You need to include valid CSRF tokens."})
			return
		}
	}
	if len(r.TransferEncoding) > 0 {
		f.t.Errorf("%s is sent in chunks, which not all servers of Python take", what)
	}
	f.route(w, r)
}

func (f *fake) route(w http.ResponseWriter, r *http.Request) {
	var session *login
	if c, err := r.Cookie("sessionid"); err == nil {
		session = f.sessions[c.Value]
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/api/v0/token/":
		token := "csrf-" + uuid.NewString()
		http.SetCookie(w, &http.Cookie{Name: "csrftoken", Value: token, Path: "/", Secure: r.TLS != nil})
		reply(w, http.StatusOK, map[string]any{"data": token})
	case r.URL.Path == "/api/v0/servers/":
		reply(w, http.StatusOK, map[string]any{"data": []any{
			map[string]any{"id": 1, "host": "omero", "port": 4064, "server": "first"},
		}})
	case r.URL.Path == "/api/v0/login/":
		f.login(w, r, session)
	case part[0] == "webclient" && session == nil:
		http.Redirect(w, r, "/webclient/login/?url="+url.QueryEscape(r.URL.Path), http.StatusFound)
	case session == nil:
		reply(w, http.StatusForbidden, map[string]any{"message": "Not logged in"})
	case part[0] == "webgateway" && part[1] == "su":
		f.su(w, part[2], session)
	case strings.HasPrefix(r.URL.Path, "/api/v0/m/experimenters/"):
		reply(w, http.StatusOK, page(r, f.pageSize, []any{
			map[string]any{"@id": 1, "Name": "user"}, map[string]any{"@id": 3, "Name": "lab"}, map[string]any{"@id": 4, "Name": "team"},
		}))
	case r.URL.Path == "/api/v0/m/save/":
		f.save(w, r, session)
	case strings.HasPrefix(r.URL.Path, "/api/v0/m/"):
		f.read(w, r, part[3:])
	default:
		f.webclient(w, r, part, session)
	}
}

func (f *fake) login(w http.ResponseWriter, r *http.Request, session *login) {
	if r.FormValue("username") != "" {
		if r.FormValue("username") != "importer" || r.FormValue("password") != "s3cret!" || r.FormValue("server") != "1" {
			reply(w, http.StatusForbidden, map[string]any{"message": "Connection not available, please check your user name and password."})
			return
		}
		session = &login{user: "importer", uuid: uuid.NewString()}
		cookie := "cookie-" + uuid.NewString()
		f.sessions[cookie] = session
		http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: cookie, Path: "/", HttpOnly: true})
	}
	if session == nil {
		reply(w, http.StatusForbidden, map[string]any{"message": "Username: This field is required."})
		return
	}
	reply(w, http.StatusOK, map[string]any{"success": true, "eventContext": map[string]any{
		"sessionUuid": session.uuid, "userId": users[session.user], "userName": session.user,
		"groupId": 3, "groupName": "lab", "isAdmin": session.user == "importer" && f.admin, "memberOfGroups": []int{3, 4, 1},
	}})
}

func (f *fake) su(w http.ResponseWriter, user string, session *login) {
	switch {
	case session.user != "importer":
		http.NotFound(w, nil)
	case users[user] == 0:
		reply(w, http.StatusInternalServerError, map[string]any{
			"message": "'NoneType' object has no attribute '_sessionUuid'", "stacktrace": "Traceback …",
		})
	default:
		session.user, session.uuid = user, uuid.NewString()
		reply(w, http.StatusOK, true)
	}
}

func (f *fake) webclient(w http.ResponseWriter, r *http.Request, part []string, session *login) {
	switch part[1] {
	case "logout":
		c, _ := r.Cookie("sessionid")
		f.ended = append(f.ended, session.uuid)
		delete(f.sessions, c.Value)
		http.Redirect(w, r, "/webclient/login/", http.StatusFound)
	case "active_group":
		session.active, _ = strconv.ParseInt(r.FormValue("active_group"), 10, 64)
		http.Redirect(w, r, "/webclient/", http.StatusFound)
	case "annotate_map":
		_ = r.ParseForm()
		f.annotated = append(f.annotated, r.PostForm)
		reply(w, http.StatusOK, map[string]any{"annId": []int{len(f.annotated)}})
	case "action":
		f.named = append(f.named, part[3]+" "+part[4]+" "+r.FormValue("name"))
		f.groups = append(f.groups, max(session.active, 3))
		reply(w, http.StatusOK, map[string]any{"bad": "false", "o_type": part[3]})
	case "api":
		var links map[string]map[string]map[string][]int64
		_ = json.NewDecoder(r.Body).Decode(&links)
		for project, of := range links["project"] {
			for i, c := range f.containers {
				if slices.Contains(of["dataset"], c.id) {
					f.containers[i].project, _ = strconv.ParseInt(project, 10, 64)
				}
			}
		}
		reply(w, http.StatusOK, map[string]any{"success": true})
	default:
		http.NotFound(w, r)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// says answers with a status and a body.
func says(status int, kind, body string, header ...string) handler {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// cut drops the connection without an answer.
func cut(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}
