package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (f *fake) save(w http.ResponseWriter, r *http.Request, session *login) {
	var o map[string]string
	_ = json.NewDecoder(r.Body).Decode(&o)
	_, kind, _ := strings.Cut(o["@type"], "#")
	group, _ := strconv.ParseInt(r.URL.Query().Get("group"), 10, 64)
	f.next++
	c := container{kind: kind, id: f.next, name: o["Name"], owner: users[session.user], group: group, canLink: true}
	f.containers = append(f.containers, c)
	reply(w, http.StatusCreated, map[string]any{"data": c.describe()})
}

// read answers for lists and objects: [datasets], [datasets 7] or [projects 3 datasets].
func (f *fake) read(w http.ResponseWriter, r *http.Request, part []string) {
	kind := strings.ToUpper(part[len(part)-1][:1]) + strings.TrimSuffix(part[len(part)-1][1:], "s")
	if len(part) == 2 {
		kind = strings.ToUpper(part[0][:1]) + strings.TrimSuffix(part[0][1:], "s")
		for _, c := range f.containers {
			if c.kind == kind && strconv.FormatInt(c.id, 10) == part[1] {
				reply(w, http.StatusOK, map[string]any{"data": c.describe()})
				return
			}
		}
		reply(w, http.StatusNotFound, map[string]any{"message": kind + " " + part[1] + " not found", "stacktrace": "Traceback …"})
		return
	}
	var list []container
	for _, c := range f.containers {
		q := r.URL.Query()
		is := func(want string, id int64) bool { return want == "" || want == strconv.FormatInt(id, 10) }
		if len(part) == 3 && kind == "Project" { // those of a dataset
			i := slices.IndexFunc(f.containers, func(d container) bool { return d.kind == "Dataset" && is(part[1], d.id) })
			if c.kind != kind || f.containers[i].project != c.id {
				continue
			}
		} else if c.kind != kind || !is(q.Get("owner"), c.owner) || !is(q.Get("group"), c.group) || len(part) == 3 && !is(part[1], c.project) {
			continue
		}
		list = append(list, c)
	}
	total := len(list)
	var all []any
	for _, c := range f.mangle(list) {
		all = append(all, c.describe())
	}
	answer := page(r, f.pageSize, all)
	answer["meta"] = map[string]any{"totalCount": total}
	reply(w, http.StatusOK, answer)
}

func (c container) describe() map[string]any {
	names := map[int64]string{2: "importer", 7: "alice", 8: "bob", 3: "lab", 4: "team"}
	return map[string]any{
		"@id": c.id, "Name": c.name, "omero:childCount": c.images, "@type": "http://www.openmicroscopy.org/Schemas/OME/2016-06#" + c.kind,
		"omero:details": map[string]any{
			"owner":       map[string]any{"@id": c.owner, "UserName": names[c.owner]},
			"group":       map[string]any{"@id": c.group, "Name": names[c.group]},
			"permissions": map[string]any{"canLink": c.canLink},
		},
	}
}

// page cuts a page out of a list.
func page(r *http.Request, size int, all []any) map[string]any {
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	offset, _ := strconv.Atoi(r.FormValue("offset"))
	from := min(offset, len(all))
	return map[string]any{"data": all[from:min(from+min(limit, size), len(all))], "meta": map[string]any{"totalCount": len(all)}}
}
