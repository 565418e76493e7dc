package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// objectsAtOnce is how many objects one request annotates. Django reads 1,000 fields of a
// form, unless it is told otherwise; objects beyond share another annotation.
const objectsAtOnce = 500

// Annotate makes annotations in the groups of their objects. When it fails, some may have
// been made, and which is to be looked up before another attempt: it makes them again.
// OMERO.web passes over objects that it does not find, and says nothing of them.
func (s *Session) Annotate(ctx context.Context, annotations []model.Annotation) error {
	var parts []model.Annotation
	for _, a := range annotations {
		if len(a.Pairs) == 0 {
			continue
		}
		for _, p := range a.Pairs {
			if strings.ContainsRune(p.Key+p.Value, 0) {
				return &importer.Error{Reason: fmt.Sprintf("OMERO cannot hold the NUL character that the value of %q or the key itself has.", p.Key)}
			}
		}
		for objects := range slices.Chunk(a.Objects, objectsAtOnce) {
			parts = append(parts, model.Annotation{Namespace: a.Namespace, Pairs: a.Pairs, Objects: objects})
		}
	}
	return spread(ctx, len(parts), func(ctx context.Context, i int) error { return s.annotate(ctx, parts[i]) })
}

func (s *Session) annotate(ctx context.Context, a model.Annotation) error {
	pairs := make([][2]string, len(a.Pairs))
	for i, p := range a.Pairs {
		pairs[i] = [2]string{p.Key, p.Value}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		return err
	}
	// An empty value is what OMERO.web takes for no wish for one annotation per object: it
	// takes even "false", its default, for one.
	form := url.Values{"mapAnnotation": {string(text)}, "ns": {a.Namespace}, "duplicate": {""}}
	for _, o := range a.Objects {
		form.Add(strings.ToLower(string(o.Type)), strconv.FormatInt(o.ID, 10))
	}
	r := request{what: "annotate " + names(a.Objects), method: http.MethodPost, path: "/webclient/annotate_map/", form: form}
	var made struct {
		ID any `json:"annId"` //nolint:tagliatelle // OMERO's name
	}
	if err := s.talk.do(ctx, r, &made); err != nil {
		return err
	}
	if made.ID == nil {
		return r.unavailable("its answer names no annotation")
	}
	return nil
}

// names says which objects are meant.
func names(objects []model.Object) string {
	first := fmt.Sprintf("%s %d", objects[0].Type, objects[0].ID)
	if len(objects) == 1 {
		return first
	}
	return fmt.Sprintf("%s and %d more", first, len(objects)-1)
}
