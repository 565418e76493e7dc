package web

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// Rename gives objects names, in no particular order. It may be repeated. OMERO.web cuts
// blanks off both ends, and takes no more than 250 characters.
func (s *Session) Rename(ctx context.Context, names []model.Naming) error {
	return spread(ctx, len(names), func(ctx context.Context, i int) error { return s.rename(ctx, names[i]) })
}

func (s *Session) rename(ctx context.Context, n model.Naming) error {
	r := request{
		what: fmt.Sprintf("name %s %d", n.Object.Type, n.Object.ID), method: http.MethodPost,
		path: fmt.Sprintf("/webclient/action/savename/%s/%d/", strings.ToLower(string(n.Object.Type)), n.Object.ID),
		form: url.Values{"name": {n.Name}}, repeat: true, object: true,
	}
	var said struct {
		Bad    any            `json:"bad"` // "true" or "false"
		Errors map[string]any `json:"errs"`
	}
	if err := s.talk.do(ctx, r, &said); err != nil {
		return err
	}
	switch fmt.Sprint(said.Bad) {
	case "false":
		return nil
	case "true":
		return &importer.Error{
			Reason: fmt.Sprintf("OMERO refused to %s %q: %s", r.what, n.Name, s.talk.remarks(said.Errors)),
			Err:    fmt.Errorf("%s: it is not valid", r.what),
		}
	}
	return r.unavailable("its answer does not say whether it did")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// remarks returns the text of what OMERO.web has to say of a form.
func (t *talk) remarks(fields map[string]any) string {
	var all []string
	for _, f := range fields {
		all = append(all, t.quote(html.UnescapeString(tags.ReplaceAllString(fmt.Sprint(f), " "))))
	}
	if len(all) == 0 {
		return "it does not say why."
	}
	return strings.Join(all, " ")
}
