package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// saved is an object as a client sends it.
type saved struct {
	ID          *int64  `json:"@id"`         //nolint:tagliatelle // the API's own name
	Type        *string `json:"@type"`       //nolint:tagliatelle // the API's own name
	Name        *string `json:"Name"`        //nolint:tagliatelle // the API's own name
	Description *string `json:"Description"` //nolint:tagliatelle // the API's own name
	Details     struct {
		Group struct {
			ID *int64 `json:"@id"` //nolint:tagliatelle // the API's own name
		} `json:"group"`
	} `json:"omero:details"` //nolint:tagliatelle // the API's own name
}

// save makes (POST) or changes (PUT) a Project, Dataset or Screen.
func (h *Handler) save(w http.ResponseWriter, r *http.Request, a server.Actor) {
	verb := map[string]string{http.MethodPost: "Creation", http.MethodPut: "Update"}[r.Method]
	if verb == "" {
		fail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	body, err := io.ReadAll(r.Body)
	var s saved
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, "Expecting value: line 1 column 1 (char 0)")
		return
	}
	if s.Type == nil {
		fail(w, http.StatusBadRequest, "Need to specify @type attribute")
		return
	}
	_, kind, _ := strings.Cut(*s.Type, "#")
	switch {
	case kind != server.Project && kind != server.Dataset && kind != server.Screen:
		fail(w, http.StatusMethodNotAllowed, verb+" of "+kind+" not supported")
	case r.Method == http.MethodPost && s.ID != nil:
		fail(w, http.StatusBadRequest, "Object has '@id' attribute. Use PUT to update objects")
	case r.Method == http.MethodPut && s.ID == nil:
		fail(w, http.StatusBadRequest, "No '@id' attribute. Use POST to create new objects")
	default:
		h.saveContainer(w, r, a, kind, s)
	}
}

func (h *Handler) saveContainer(w http.ResponseWriter, r *http.Request, a server.Actor, kind string, s saved) {
	group := s.Details.Group.ID
	if q := r.URL.Query().Get("group"); q != "" {
		n, err := strconv.ParseInt(q, 10, 64)
		if err != nil {
			fail(w, http.StatusInternalServerError, fmt.Sprintf("invalid literal for int() with base 10: '%s'", q))
			return
		}
		group = &n
	}
	if group == nil {
		fail(w, http.StatusBadRequest, "Specify Group in omero:details or query parameters ?group=:id")
		return
	}
	if s.Name == nil && s.ID == nil {
		fail(w, http.StatusInternalServerError, "could not insert: not-null property references a null or transient value: ome.model.containers."+kind+".name")
		return
	}
	var made object
	err := h.store.Update(func(tx *server.Tx) error {
		if !inGroup(tx.World, a, *group) {
			return &server.Exception{
				Class:   server.SecurityViolation,
				Message: fmt.Sprintf("User %d is not a member of group %d and cannot login", a.User.ID, *group),
			}
		}
		in := a
		in.Group = tx.Group(*group)
		c := server.Container{Type: kind}
		if s.ID != nil {
			if err := tx.Editable(in, kind, *s.ID); err != nil {
				return err
			}
			tx.Edit(kind, *s.ID, s.Name, s.Description)
			c, _ = tx.Container(kind, *s.ID)
		} else {
			c.Name = *s.Name
			if s.Description != nil {
				c.Description = *s.Description
			}
			c = tx.NewContainer(in, c)
		}
		k := kinds[slices.IndexFunc(kinds, func(k2 entity) bool { return k2.name == kind })]
		made = h.marshal(tx.World, a, r, k, named(c.ID, c.Name, c.Description, c.Details))
		return nil
	})
	switch {
	case server.Is(err, server.SecurityViolation):
		fail(w, http.StatusForbidden, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	case s.ID != nil:
		answer(w, http.StatusOK, object{"data": made})
	default:
		answer(w, http.StatusCreated, object{"data": made})
	}
}

// annotateMap makes a map annotation for each object of the form, in the group of
// the first; objects that are not there are passed over. With a query the objects
// are read from that, and those of the form are not seen (contract, "Everything
// but the import").
func (h *Handler) annotateMap(w http.ResponseWriter, r *http.Request, a server.Actor) {
	if r.Method != http.MethodPost {
		htmlPage(w, http.StatusNotFound, "Page not found (404)")
		return
	}
	if err := parseForm(r); err != nil {
		serverError(w)
		return
	}
	var pairs [][2]string
	if err := decodePairs(r.PostForm.Get("mapAnnotation"), &pairs); err != nil {
		serverError(w)
		return
	}
	if len(pairs) == 0 {
		answer(w, http.StatusOK, object{"annId": nil})
		return
	}
	ns := "openmicroscopy.org/omero/client/mapAnnotation"
	if r.PostForm.Has("ns") {
		ns = r.PostForm.Get("ns")
	}
	objects := r.PostForm
	if len(r.URL.Query()) > 0 {
		objects = r.URL.Query()
	}
	ids := []int64{}
	for _, o := range h.objects(a, objects) {
		id, err := h.annotate(a, o, server.Annotation{NS: ns, Pairs: pairs})
		if err != nil {
			serverError(w)
			return
		}
		ids = append(ids, id)
	}
	answer(w, http.StatusOK, object{"annId": ids})
}

func parseForm(r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return r.ParseMultipartForm(1 << 20)
	}
	return r.ParseForm()
}

// decodePairs reads a list of pairs, each of two texts.
func decodePairs(text string, pairs *[][2]string) error {
	var lists [][]string
	if err := json.Unmarshal([]byte(text), &lists); err != nil {
		return err
	}
	for _, list := range lists {
		if len(list) < 2 {
			return fmt.Errorf("a pair of %d", len(list))
		}
		*pairs = append(*pairs, [2]string{list[0], list[1]})
	}
	return nil
}

// annotated is an object to be annotated.
type annotated struct {
	link  string
	id    int64
	group int64
}

// objects are those of a form that are there.
func (h *Handler) objects(a server.Actor, form url.Values) []annotated {
	var all []annotated
	_ = h.store.View(func(w *server.World) {
		for _, k := range []struct {
			field, link string
			find        func(int64) (server.Details, bool)
		}{
			{"image", server.ImageAnnotationLink, func(id int64) (server.Details, bool) { i, ok := w.Image(id); return i.Details, ok }},
			{"plate", server.PlateAnnotationLink, func(id int64) (server.Details, bool) { p, ok := w.Plate(id); return p.Details, ok }},
		} {
			for _, value := range form[k.field] {
				id, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					continue
				}
				if d, ok := k.find(id); ok && w.Sees(a, d, true) {
					all = append(all, annotated{k.link, id, d.Group})
				}
			}
		}
	})
	for i := range all {
		all[i].group = all[0].group
	}
	return all
}

// annotate saves the annotation, and then links it: one that cannot be linked
// stays.
func (h *Handler) annotate(a server.Actor, o annotated, n server.Annotation) (int64, error) {
	err := h.store.Update(func(tx *server.Tx) error {
		a.Group = tx.Group(o.group)
		n = tx.NewAnnotation(a, n)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n.ID, h.store.Update(func(tx *server.Tx) error {
		_, err := tx.NewLink(a, server.Link{Type: o.link, Parent: o.id, Child: n.ID})
		return err
	})
}

// saveName renames an object.
func (h *Handler) saveName(w http.ResponseWriter, r *http.Request, a server.Actor) {
	kind := r.PathValue("kind")
	if r.Method != http.MethodPost {
		http.Redirect(w, r, "/webclient/action/edit/"+kind+"/"+r.PathValue("id")+"/", http.StatusFound)
		return
	}
	name := r.PostFormValue("name")
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		htmlPage(w, http.StatusNotFound, "Page not found (404)")
		return
	}
	class := map[string]string{
		"image": "Image", "plate": "Plate", "dataset": server.Dataset, "project": server.Project, "screen": server.Screen,
	}[kind]
	missing := false
	err = h.store.View(func(world *server.World) { missing = class == "" || !world.Exists(a, class, id) })
	if err != nil || missing {
		serverError(w)
		return
	}
	if message := badName(name); message != "" {
		answer(w, http.StatusOK, object{"bad": "true", "errs": object{"name": message}})
		return
	}
	err = h.store.Update(func(tx *server.Tx) error {
		in := a
		in.Group = tx.Group(tx.GroupOf(class, id))
		if err := tx.Editable(in, class, id); err != nil {
			return err
		}
		tx.Edit(class, id, &name, nil)
		return nil
	})
	if err != nil {
		serverError(w)
		return
	}
	answer(w, http.StatusOK, object{"bad": "false", "o_type": kind})
}

// badName says what is wrong with a name, which is told with a status of 200.
func badName(name string) string {
	switch {
	case name == "":
		return "This field is required."
	case len([]rune(name)) > 250:
		return fmt.Sprintf("Ensure this value has at most 250 characters (it has %d).", len([]rune(name)))
	default:
		return ""
	}
}
