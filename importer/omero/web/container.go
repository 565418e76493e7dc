package web

import (
	"context"
	"errors"
	"fmt"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// plural names the lists of OMERO.web.
func plural(t importer.ContainerType) string {
	if t == importer.Screen {
		return "screens"
	}
	return "datasets"
}

// Container returns what the user sees of a container, in whichever group it is.
func (s *Session) Container(ctx context.Context, t importer.ContainerType, id int64) (model.Container, error) {
	r := request{what: fmt.Sprintf("read %s %d", t, id), path: fmt.Sprintf("/api/v0/m/%s/%d/", plural(t), id), repeat: true}
	var found struct {
		Data object `json:"data"`
	}
	err := s.talk.do(ctx, r, &found)
	missing := errors.Is(err, model.ErrNotFound)
	if err != nil && !missing {
		return model.Container{}, err
	}
	if !missing && (found.Data.ID != id || found.Data.Details == nil) {
		return model.Container{}, r.unavailable("its answer describes something else")
	}
	c := found.Data.container()
	if missing || !c.CanLink {
		if err := s.still(ctx); err != nil {
			return model.Container{}, fmt.Errorf("%s: %w", r.what, err)
		}
	}
	if missing {
		return model.Container{}, fmt.Errorf("%s: %w", r.what, model.ErrNotFound)
	}
	c.Type = t
	return c, nil
}
