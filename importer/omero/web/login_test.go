package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/model"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	c := f.client()
	s, err := c.Login(t.Context(), "alice", "lab")
	require.NoError(t, err)
	other, err := c.Login(t.Context(), "bob", "lab")
	require.NoError(t, err)
	require.NotEmpty(t, s.Key())
	require.NotEqual(t, s.Key(), other.Key())
	require.Equal(t, "lab", s.KeyGroup())
	require.Equal(t, 2, f.open(), "each with cookies of its own")
	require.Zero(t, f.count("GET /webclient/active_group/"))

	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{s.Key()}, f.ended)
	require.NoError(t, other.Close(t.Context()))
}

func TestLoginAsOneself(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s, err := f.client().Login(t.Context(), "importer", "lab")
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
}

func TestLoginInOtherGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.pageSize = 1
	s, err := f.client().Login(t.Context(), "alice", "team")
	require.NoError(t, err)
	require.Equal(t, "lab", s.KeyGroup(), "OMERO.web does not choose another one")
	require.Equal(t, 1, f.count("GET /webclient/active_group/"))
	require.NoError(t, s.Rename(t.Context(), []model.Naming{{Object: model.Object{Type: model.Image, ID: 5}, Name: "n"}}))
	require.Equal(t, []int64{4}, f.groups)
	require.NoError(t, s.Close(t.Context()))
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	const su = "POST /webgateway/su/alice/"
	violation := `{"message":"exception ::omero::SecurityViolation\n{\n serverStackTrace = ome.conditions.SecurityViolation: no\n\tat x\n` +
		` message = Not a light administrator with Sudo\n}","stacktrace":"…"}`
	for name, tc := range map[string]struct {
		user, group, on string
		then            handler
		want            string
		own             bool
	}{
		"unknown user":       {user: "eve", group: "lab", want: "NoneType"},
		"unknown group":      {user: "alice", group: "Lab", want: "alice is not a member of Lab"},
		"no sudo":            {user: "alice", group: "lab", on: su, then: says(403, "application/json", violation), want: "Not a light administrator with Sudo"},
		"refused":            {user: "alice", group: "lab", on: su, then: says(200, "application/json", "false"), want: "did not become"},
		"hidden":             {user: "alice", group: "lab", on: su, then: says(404, "text/html", "<html>"), want: "may not act for others", own: true},
		"still another":      {user: "alice", group: "lab", on: su, then: says(200, "application/json", "true"), want: `the session is one of "importer"`},
		"slash":              {user: "a/b", group: "lab", want: "cannot be named in an address"},
		"folder":             {user: "..", group: "lab", want: "cannot be named in an address"},
		"not in that group":  {user: "alice", group: "other", on: "GET /api/v0/m/experimenters/7/experimentergroups/", then: says(200, "application/json", `{"data":[{"@id":9,"Name":"other"}],"meta":{"totalCount":1}}`), want: "not a member"},
		"user without group": {user: "alice", group: "", want: "not a member"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			if tc.then != nil {
				f.on(tc.on, tc.then)
			}
			err := loginError(t, f.client(), tc.user, tc.group)
			refused := (*model.LoginError)(nil)
			require.ErrorAs(t, err, &refused)
			require.Equal(t, tc.own, refused.Own)
			require.ErrorContains(t, err, tc.want)
			require.NotErrorIs(t, err, model.ErrUnavailable)
			require.Zero(t, f.open(), "nothing is left open")
		})
	}
}

func TestLoginUnavailable(t *testing.T) {
	t.Parallel()
	const su = "POST /webgateway/su/alice/"
	lost := `{"message":"exception ::Ice::ConnectionLostException\n{\n error = 104\n}","stacktrace":"…"}`
	for name, tc := range map[string]struct {
		on   string
		then handler
	}{
		"connection lost":    {su, says(500, "application/json", lost)},
		"page":               {su, says(500, "text/html", "<html>")},
		"page in place of":   {su, says(200, "text/html", "<html>")},
		"cut":                {su, cut},
		"no cookies":         {su, says(302, "text/html", "", "Location", "/webclient/login/?url=%2F")},
		"no session":         {"POST /api/v0/login/", says(200, "application/json", `{"success":true}`)},
		"not JSON":           {"POST /api/v0/login/", says(200, "application/json", `{"succ`)},
		"no token":           {"GET /api/v0/token/", says(200, "application/json", `{}`)},
		"no such page":       {"GET /api/v0/token/", says(404, "text/html", "<html>")},
		"elsewhere":          {"GET /api/v0/token/", says(301, "text/html", "", "Location", "https://example.org/api/v0/token/")},
		"nowhere":            {"GET /api/v0/token/", says(301, "text/html", "", "Location", "https://exa mple")},
		"bad group":          {"GET /webclient/active_group/", says(500, "text/html", "<html>")},
		"login for a group":  {"GET /webclient/active_group/", says(302, "text/html", "", "Location", "/webclient/login/?url=%2F")},
		"bad list of groups": {"GET /api/v0/m/experimenters/7/experimentergroups/", says(200, "text/html", "<html>")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			f.on(tc.on, tc.then)
			if name == "nowhere" {
				f.always(tc.on, tc.then)
			}
			err := loginError(t, f.client(), "alice", "team")
			require.ErrorIs(t, err, model.ErrUnavailable)
			require.NotErrorIs(t, err, model.ErrSessionGone)
			require.NotContains(t, err.Error(), "<html>")
			if tc.on == su && name != "cut" {
				require.Equal(t, 1, f.count(su))
			}
			if f.count("POST /api/v0/login/") > 1 {
				require.Zero(t, f.open())
			}
		})
	}
}

// A session is closed also when what was said of it was not understood.
func TestLoginMisunderstood(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.on("POST /api/v0/login/", func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.login(&half{w}, r, nil)
		return true
	})
	require.ErrorIs(t, f.client().Ping(t.Context()), model.ErrUnavailable)
	require.Zero(t, f.open())
}

// half writes only half of what it is given.
type half struct{ http.ResponseWriter }

func (h *half) Write(p []byte) (int, error) { return h.ResponseWriter.Write(p[:len(p)/2]) }

// A token that OMERO.web no longer takes is replaced, and the request sent again: it was
// not carried out.
func TestToken(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	refuse := says(http.StatusForbidden, "application/json", `{"message":"CSRF Error. You need to include valid CSRF tokens."}`)
	f.on("POST /webclient/annotate_map/", refuse)
	require.NoError(t, s.Annotate(t.Context(), oneAnnotation()))
	require.Len(t, f.annotated, 1)

	f.on("POST /webclient/annotate_map/", refuse, refuse)
	err := s.Annotate(t.Context(), oneAnnotation())
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "trusted origins")
	require.NoError(t, s.Close(t.Context()))
}

func TestClose(t *testing.T) {
	t.Parallel()
	const logout = "POST /webclient/logout/"
	for name, tc := range map[string]struct {
		then []handler
		gone bool
		want error
	}{
		"open":             {},
		"gone":             {gone: true},
		"gone, for an API": {then: []handler{says(403, "application/json", `{"message":"Not logged in"}`)}},
		"busy":             {then: []handler{says(503, "text/html", ""), cut}},
		"fails":            {then: []handler{says(500, "text/html", "")}, want: model.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			s := f.session()
			if tc.gone {
				f.end()
			}
			f.on(logout, tc.then...)
			require.ErrorIs(t, s.Close(t.Context()), tc.want)
			require.NoError(t, s.Close(t.Context()), "it is tried again only if it failed")
		})
	}
}
