package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

const (
	defaultLimit = 200
	maxLimit     = 500
)

// entity is a kind of objects that the API reads.
type entity struct {
	path     string
	name     string
	all      func(*server.World) []item
	children []relation
	link     string // whose links childCount counts
}

// relation is what a kind's objects have below a path of theirs.
type relation struct {
	path    string
	related func(w *server.World, id int64, i item) bool
}

// item is one object.
type item struct {
	id      int64
	sort    string
	details server.Details
	free    bool // for everybody to read
	fields  object
}

// linked relates what links link.
func linked(path, link string, down bool) relation {
	return relation{path, func(w *server.World, id int64, i item) bool {
		return slices.ContainsFunc(w.Links(), func(l server.Link) bool {
			if down {
				return l.Type == link && l.Parent == id && l.Child == i.id
			}
			return l.Type == link && l.Child == id && l.Parent == i.id
		})
	}}
}

func member(path string, ofGroup bool) relation {
	return relation{path, func(w *server.World, id int64, i item) bool {
		return slices.ContainsFunc(w.Members(), func(m server.Member) bool {
			if ofGroup {
				return m.Group == id && m.User == i.id
			}
			return m.User == id && m.Group == i.id
		})
	}}
}

var kinds = []entity{
	{path: "experimenters", name: "Experimenter", all: experimenters, children: []relation{member("experimentergroups", false)}},
	{path: "experimentergroups", name: "ExperimenterGroup", all: groups, children: []relation{member("experimenters", true)}},
	{
		path: "projects", name: server.Project, all: containers(server.Project), link: server.ProjectDatasetLink,
		children: []relation{linked("datasets", server.ProjectDatasetLink, true)},
	},
	{
		path: "datasets", name: server.Dataset, all: containers(server.Dataset), link: server.DatasetImageLink,
		children: []relation{
			linked("images", server.DatasetImageLink, true),
			linked("projects", server.ProjectDatasetLink, false),
		},
	},
	{
		path: "screens", name: server.Screen, all: containers(server.Screen), link: server.ScreenPlateLink,
		children: []relation{linked("plates", server.ScreenPlateLink, true)},
	},
	{
		path: "plates", name: "Plate", all: plates,
		children: []relation{linked("screens", server.ScreenPlateLink, false)},
	},
	{
		path: "images", name: "Image", all: images,
		children: []relation{linked("datasets", server.DatasetImageLink, false)},
	},
}

func kindOf(path string) entity {
	return kinds[slices.IndexFunc(kinds, func(k entity) bool { return k.path == path })]
}

// visible are the objects that the actor may read, in the order of the API: by
// name, whatever its case.
func (h *Handler) visible(w *server.World, a server.Actor, k entity) []item {
	all := slices.DeleteFunc(k.all(w), func(i item) bool { return !i.free && !w.Sees(a, i.details, true) })
	slices.SortStableFunc(all, func(x, y item) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.sort), strings.ToLower(y.sort)), cmp.Compare(x.id, y.id))
	})
	return all
}

func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	fail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	return false
}

// object answers with one object.
func (h *Handler) object(k entity) action {
	return func(w http.ResponseWriter, r *http.Request, a server.Actor) {
		if !readOnly(w, r) {
			return
		}
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			htmlPage(w, http.StatusNotFound, "Page not found (404)")
			return
		}
		var found object
		_ = h.store.View(func(world *server.World) {
			for _, i := range h.visible(world, a, k) {
				if i.id == id {
					found = h.marshal(world, a, r, k, i)
				}
			}
		})
		if found == nil {
			fail(w, http.StatusNotFound, fmt.Sprintf("%s %d not found", k.name, id))
			return
		}
		answer(w, http.StatusOK, object{"data": found})
	}
}

// children answers with the objects below one.
func (h *Handler) children(rel relation) action {
	k := kindOf(rel.path)
	return h.list(k, rel.related)
}

// list answers with a page of objects.
func (h *Handler) list(k entity, related func(*server.World, int64, item) bool) action {
	return func(w http.ResponseWriter, r *http.Request, a server.Actor) {
		if !readOnly(w, r) {
			return
		}
		f, err := newFilter(r)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		var (
			all   []object
			total int
			alien bool
		)
		id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		_ = h.store.View(func(world *server.World) {
			if alien = f.group >= 0 && !inGroup(world, a, f.group); alien {
				return
			}
			found := slices.DeleteFunc(h.visible(world, a, k), func(i item) bool {
				return related != nil && !related(world, id, i) || !i.free && !f.wants(i)
			})
			total = len(found)
			found = found[min(f.offset, total):]
			all = []object{}
			for _, i := range found[:min(f.limit, len(found))] {
				all = append(all, h.marshal(world, a, r, k, i))
			}
		})
		if alien {
			fail(w, http.StatusForbidden, fmt.Sprintf("User %d is not a member of group %d and cannot login", a.User.ID, f.group))
			return
		}
		answer(w, http.StatusOK, object{"data": all, "meta": object{
			"offset": f.offset, "limit": f.limit, "maxLimit": maxLimit, "totalCount": total,
		}})
	}
}

func inGroup(w *server.World, a server.Actor, group int64) bool {
	return a.User.Admin || slices.ContainsFunc(w.Members(), func(m server.Member) bool {
		return m.User == a.User.ID && m.Group == group
	})
}

// filter is what a list is asked for.
type filter struct {
	limit, offset int
	owner, group  int64 // below 0: any
}

func newFilter(r *http.Request) (filter, error) {
	f := filter{limit: defaultLimit, owner: -1, group: -1}
	for _, o := range []struct {
		name string
		set  func(int)
	}{
		{"limit", func(n int) {
			if n >= 0 {
				f.limit = min(n, maxLimit)
			}
		}},
		{"offset", func(n int) { f.offset = max(n, 0) }},
		{"owner", func(n int) { f.owner = int64(n) }},
		{"group", func(n int) { f.group = int64(n) }},
	} {
		value := r.URL.Query().Get(o.name)
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return f, fmt.Errorf("invalid literal for int() with base 10: '%s'", value)
		}
		o.set(n)
	}
	return f, nil
}

func (f filter) wants(i item) bool {
	return (f.owner < 0 || i.details.Owner == f.owner) && (f.group < 0 || i.details.Group == f.group)
}
