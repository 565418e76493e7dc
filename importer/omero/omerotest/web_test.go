package omerotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func TestWebLogin(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusForbidden, b.get("/api/v0/m/datasets/").status)
	require.JSONEq(t, `{"message":"Not logged in"}`, b.get("/api/v0/m/datasets/").body)
	require.JSONEq(t, `{"data":[{"id":1,"host":"localhost","port":4064,"server":"omero"}]}`, b.get("/api/v0/servers/").body)
	require.Equal(t, http.StatusMethodNotAllowed, b.get("/api/v0/login/").status)

	r := b.post("/api/v0/login/", url.Values{"server": {"1"}, "username": {"researcher"}, "password": {"secret"}})
	require.Equal(t, http.StatusForbidden, r.status, "without a token")
	require.Contains(t, r.object(t)["message"], "CSRF Error")
	r = b.login("researcher", "wrong")
	require.Equal(t, http.StatusForbidden, r.status)
	require.Contains(t, r.object(t)["message"], "please check your user name and password")
	r = b.post("/api/v0/login/", nil)
	require.Equal(t, http.StatusForbidden, r.status)
	require.Equal(t, "Server: This field is required. Username: This field is required. Password: This field is required.", r.object(t)["message"])
	r = b.post("/api/v0/login/", url.Values{"server": {"2"}, "username": {"researcher"}, "password": {"secret"}})
	require.Contains(t, r.object(t)["message"], "Select a valid choice")

	r = b.login("researcher", "secret")
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Equal(t, true, r.object(t)["success"])
	context, ok := r.object(t)["eventContext"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, s.State().Sessions[0].UUID, context["sessionUuid"])
	require.InDelta(t, s.user, context["userId"], 0)
	require.InDelta(t, s.group, context["groupId"], 0)
	require.Equal(t, false, context["isAdmin"])
	require.Equal(t, http.StatusOK, b.get("/api/v0/m/datasets/").status)
	require.Equal(t, context, b.post("/api/v0/login/", nil).object(t)["eventContext"], "an empty form tells about the session")

	r = b.post("/webclient/logout/", nil)
	require.Equal(t, http.StatusFound, r.status)
	require.True(t, s.State().Sessions[0].Closed)
	require.Equal(t, http.StatusForbidden, b.get("/api/v0/m/datasets/").status)
	requests := s.State().Requests
	last := requests[len(requests)-1]
	require.Equal(t, omerotest.Request{ID: last.ID, Method: "GET", Path: "/api/v0/m/datasets/", Status: 403}, last)
}

func TestWebOnHTTPS(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s.WebTLS(t))
	require.Equal(t, http.StatusOK, b.login("researcher", "secret").status)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/api/v0/login/", nil)
	require.NoError(t, err)
	request.Header.Set("X-CSRFToken", b.token)
	response, err := b.client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode, "without a referer")
}

func TestSu(t *testing.T) {
	s := newSite(t)
	s.AddUser(omerotest.User{Name: "curator", Password: "secret", Admin: true})
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusOK, b.login("root", omerotest.RootPassword).status)
	require.Equal(t, http.StatusInternalServerError, b.post("/webgateway/su/nobody/", nil).status)
	r := b.post("/webgateway/su/researcher/", nil)
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "true", r.body)
	context, ok := b.post("/api/v0/login/", nil).object(t)["eventContext"].(map[string]any)
	require.True(t, ok)
	key, ok := context["sessionUuid"].(string)
	require.True(t, ok)
	require.Equal(t, "researcher", context["userName"])
	require.Equal(t, "Demo", context["groupName"], "the user's default group")
	require.Equal(t, "root", s.State().Sessions[1].By)

	r2 := s.run(s.importArgs(key, "-d", "51", s.file("a.tif", []byte("x")))...)
	require.Zero(t, r2.exit, r2.errors)
	require.Equal(t, s.user, s.State().Images[0].Owner)
	require.Equal(t, http.StatusNotFound, b.post("/webgateway/su/root/", nil).status, "no admin any more")

	b = newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusOK, b.login("curator", "secret").status)
	require.Equal(t, http.StatusForbidden, b.post("/webgateway/su/researcher/", nil).status, "without the privilege")
}

func TestJoinedSession(t *testing.T) {
	s := newSite(t)
	key := s.login()
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusForbidden, b.get("/api/v0/m/datasets/?bsession="+key).status, "which server?")
	require.Equal(t, http.StatusForbidden, b.get("/api/v0/m/datasets/?bsession=nonsense&server=1").status)
	require.Equal(t, http.StatusOK, b.get("/api/v0/m/datasets/?bsession="+key+"&server=1").status)
	require.Equal(t, http.StatusOK, b.get("/api/v0/m/datasets/").status)
	require.Zero(t, s.run("logout").exit)
	require.Equal(t, http.StatusForbidden, b.get("/api/v0/m/datasets/").status)
}

func TestReads(t *testing.T) {
	s := newSite(t)
	project := s.AddProject("Eye", s.user, s.group)
	s.AddDataset("Inside", s.user, s.group, project) // 52
	colleague := s.AddUser(omerotest.User{Name: "colleague"})
	s.AddMember(omerotest.Member{User: colleague, Group: s.group})
	s.AddDataset("Theirs", colleague, s.group, 0) // 53
	hidden := s.AddGroup("Hidden", omerotest.ReadOnly)
	s.AddDataset("Hidden", colleague, hidden, 0) // 54
	key := s.login()
	require.Zero(t, s.run(s.importArgs(key, "-d", "51", s.file("a.tif", omerotest.ImagesFile(2)))...).exit)
	require.Zero(t, s.run(s.importArgs(key, "-r", "51", s.file("p.tif", omerotest.PlatesFile(1, 1, 1)))...).exit)
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusOK, b.login("researcher", "secret").status)

	for path, want := range map[string][]int{
		"datasets/":                             {52, 51, 53}, // by name
		"datasets/?limit=1":                     {52},
		"datasets/?limit=1&offset=1":            {51},
		"datasets/?offset=9":                    {},
		"datasets/?limit=0":                     {},
		"datasets/?owner=" + decimal(colleague): {53},
		"datasets/?group=3":                     {52, 51, 53},
		"datasets/51/images/":                   {5001, 5002},
		"datasets/52/projects/":                 {51},
		"projects/51/datasets/":                 {52},
		"screens/51/plates/":                    {5001},
		"plates/5001/screens/":                  {51},
		"images/5001/datasets/":                 {51},
		"images/":                               {5001, 5002, 5003},
		"experimentergroups/3/experimenters/":   {2, 3},
		"experimenters/2/experimentergroups/":   {3, 1},
	} {
		r := b.get("/api/v0/m/" + path)
		require.Equal(t, http.StatusOK, r.status, path)
		require.Equal(t, want, ids(t, r), path)
	}
	meta := b.get("/api/v0/m/datasets/?limit=1").object(t)["meta"]
	require.Equal(t, map[string]any{"limit": 1.0, "maxLimit": 500.0, "offset": 0.0, "totalCount": 3.0}, meta)
	meta = b.get("/api/v0/m/datasets/?limit=9999").object(t)["meta"]
	require.Equal(t, map[string]any{"limit": 500.0, "maxLimit": 500.0, "offset": 0.0, "totalCount": 3.0}, meta)

	canLink := func(id int) any {
		data, ok := b.get(fmt.Sprintf("/api/v0/m/datasets/%d/?childCount=true", id)).object(t)["data"].(map[string]any)
		require.True(t, ok)
		details, ok := data["omero:details"].(map[string]any)
		require.True(t, ok)
		permissions, ok := details["permissions"].(map[string]any)
		require.True(t, ok)
		if id == 51 {
			require.Equal(t, "Retina", data["Name"])
			require.InDelta(t, 2, data["omero:childCount"], 0)
		}
		return permissions["canLink"]
	}
	require.Equal(t, true, canLink(51))
	require.Equal(t, false, canLink(53))

	for path, want := range map[string]struct {
		status  int
		message string
	}{
		"datasets/99/":                       {404, "Dataset 99 not found"},
		"datasets/54/":                       {404, "Dataset 54 not found"},
		"datasets/?limit=x":                  {400, "invalid literal for int() with base 10: 'x'"},
		"datasets/?group=" + decimal(hidden): {403, "is not a member of group"},
	} {
		r := b.get("/api/v0/m/" + path)
		require.Equal(t, want.status, r.status, path)
		require.Contains(t, r.object(t)["message"], want.message)
	}
	require.Equal(t, http.StatusMethodNotAllowed, b.post("/api/v0/m/datasets/", nil).status)
	require.Equal(t, http.StatusMovedPermanently, b.get("/api/v0/m/datasets").status)
	require.Equal(t, http.StatusNotFound, b.get("/api/v0/m/wells/").status)
}

func TestSaves(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusOK, b.login("researcher", "secret").status)
	const schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06#"
	save := func(method, query, body string) reply {
		return b.do(method, "/api/v0/m/save/"+query, "application/json", body)
	}
	r := save(http.MethodPost, "?group=3", `{"@type":"`+schema+`Dataset","Name":"New","Description":"text"}`)
	require.Equal(t, http.StatusCreated, r.status, r.body)
	dataset := s.State().Datasets[1]
	require.Equal(t, "New", dataset.Name)
	require.Equal(t, omerotest.Details{Owner: s.user, Group: s.group}, dataset.Details)
	data, ok := r.object(t)["data"].(map[string]any)
	require.True(t, ok)
	require.InDelta(t, dataset.ID, data["@id"], 0)
	r = save(http.MethodPut, "?group=3", fmt.Sprintf(`{"@type":"%sDataset","@id":%d,"Name":"Newer"}`, schema, dataset.ID))
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Equal(t, "Newer", s.State().Datasets[1].Name)
	r = save(http.MethodPost, "", `{"@type":"`+schema+`Screen","Name":"S","omero:details":{"group":{"@id":3}}}`)
	require.Equal(t, http.StatusCreated, r.status, r.body)

	for body, want := range map[string]int{
		`{"@type":"` + schema + `Image","Name":"x"}`: 405,
		`{"Name":"x"}`: 400,
		`{"@type":"` + schema + `Project","@id":1}`: 400,
		`{"@type":"` + schema + `Project"}`:         500,
		`nonsense`:                                  500,
	} {
		r := save(http.MethodPost, "?group=3", body)
		require.Equal(t, want, r.status, body)
		require.NotEmpty(t, r.object(t)["message"])
	}
	project := `{"@type":"` + schema + `Project","Name":"x"}`
	require.Equal(t, http.StatusBadRequest, save(http.MethodPost, "", project).status, "in which group?")
	require.Equal(t, http.StatusForbidden, save(http.MethodPost, "?group=0", project).status)
	require.Equal(t, http.StatusMethodNotAllowed, save(http.MethodDelete, "?group=3", project).status)
	require.Equal(t, http.StatusBadRequest, save(http.MethodPut, "?group=3", project).status)
}

func TestAnnotateAndRename(t *testing.T) {
	s := newSite(t)
	key := s.login()
	require.Zero(t, s.run(s.importArgs(key, s.file("a.tif", omerotest.ImagesFile(2)), s.file("p.tif", omerotest.PlatesFile(1, 1, 1)))...).exit)
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusFound, b.get("/webclient/").status)
	require.Equal(t, "/webclient/login/?url=%2Fwebclient%2F", b.get("/webclient/").header.Get("Location"))
	require.Equal(t, http.StatusOK, b.login("researcher", "secret").status)

	form := url.Values{
		"image": {"5001", "5002"}, "plate": {"5001"}, "ns": {"biomero.import"},
		"mapAnnotation": {`[["UUID","u"],["k","a\nb"],["k","again"]]`},
	}
	r := b.post("/webclient/annotate_map/", form)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.JSONEq(t, `{"annId":[901,902,903]}`, r.body)
	a := s.State().Annotations
	require.Equal(t, [][2]string{{"UUID", "u"}, {"k", "a\nb"}, {"k", "again"}}, a[0].Pairs)
	require.Equal(t, []int64{5002}, a[1].Images)
	require.Equal(t, []int64{5001}, a[2].Plates)
	require.Equal(t, "biomero.import", a[2].NS)

	require.JSONEq(t, `{"annId":[]}`, b.post("/webclient/annotate_map/?x=1", form).body, "a query hides the form")
	form.Set("image", "99")
	form.Del("plate")
	require.JSONEq(t, `{"annId":[]}`, b.post("/webclient/annotate_map/", form).body, "no such image, and no error")
	form.Set("mapAnnotation", "nonsense")
	r = b.post("/webclient/annotate_map/", form)
	require.Equal(t, http.StatusInternalServerError, r.status)
	require.Contains(t, r.body, "<html>")

	r = b.post("/webclient/action/savename/image/5001/", url.Values{"name": {"New name"}})
	require.JSONEq(t, `{"bad":"false","o_type":"image"}`, r.body)
	require.Equal(t, "New name", s.State().Images[0].Name)
	r = b.post("/webclient/action/savename/image/5001/", url.Values{"name": {strings.Repeat("x", 251)}})
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "true", r.object(t)["bad"])
	require.Equal(t, http.StatusInternalServerError, b.post("/webclient/action/savename/image/99/", url.Values{"name": {"x"}}).status)
}

func TestWebFaults(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s.Web(t))
	require.Equal(t, http.StatusOK, b.login("researcher", "secret").status)
	get := func(f omerotest.Fault) reply {
		f.At = omerotest.AtWeb
		f.Path = "/datasets/"
		s.Fail(f)
		require.Equal(t, http.StatusOK, b.get("/api/v0/m/screens/").status, "another path")
		return b.get("/api/v0/m/datasets/")
	}
	r := get(omerotest.Fault{Kind: omerotest.Error500})
	require.Equal(t, 500, r.status)
	require.Contains(t, r.body, "<html>")
	require.Equal(t, 502, get(omerotest.Fault{Kind: omerotest.BadGateway}).status)
	r = get(omerotest.Fault{Kind: omerotest.TooMany, Delay: 7 * time.Second})
	require.Equal(t, 429, r.status)
	require.Equal(t, "7", r.header.Get("Retry-After"))
	r = get(omerotest.Fault{Kind: omerotest.ToLogin})
	require.Equal(t, 302, r.status)
	require.Contains(t, r.header.Get("Location"), "/webclient/login/?url=")
	require.Error(t, get(omerotest.Fault{Kind: omerotest.Cut}).err)
	requests := s.State().Requests
	require.Zero(t, requests[len(requests)-1].Status)
	for i, kind := range []omerotest.FaultKind{omerotest.Cut, omerotest.CutAfter} {
		s.Fail(omerotest.Fault{At: omerotest.AtWeb, Kind: kind})
		require.Error(t, b.do(http.MethodPost, "/api/v0/m/save/?group=3", "application/json",
			`{"@type":"http://www.openmicroscopy.org/Schemas/OME/2016-06#Dataset","Name":"New"}`).err)
		require.Len(t, s.State().Datasets, 1+i, kind)
	}
	r = get(omerotest.Fault{Kind: omerotest.TruncatedJSON})
	require.Equal(t, 200, r.status)
	require.False(t, json.Valid([]byte(r.body)))
	start := time.Now()
	require.Equal(t, 200, get(omerotest.Fault{Kind: omerotest.Slow, Delay: 50 * time.Millisecond}).status)
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
	require.Equal(t, 200, b.get("/api/v0/m/datasets/").status)

	s.Change(func(o *omerotest.Options) { o.WebLatency = 30 * time.Millisecond })
	start = time.Now()
	b.get("/api/v0/servers/")
	require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
}
