package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// saved is an object as a client sends it.
type saved struct {
	ID          *int64  `json:"@id"`
	Type        *string `json:"@type"`
	Name        *string `json:"Name"`        //nolint:tagliatelle // the API's own name
	Description *string `json:"Description"` //nolint:tagliatelle // the API's own name
	Details     struct {
		Group struct {
			ID *int64 `json:"@id"`
		} `json:"group"`
	} `json:"omero:details"`
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
