package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

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
		return r.ParseMultipartForm(1 << 20) //nolint:gosec // of a test
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
		http.Redirect(w, r, "/webclient/action/edit/"+url.PathEscape(kind)+"/", http.StatusFound)
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
