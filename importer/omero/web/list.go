package web

import (
	"context"
	"maps"
	"net/url"
	"strconv"

	"biomero-importer/importer/omero/model"
)

// pageSize is the most that OMERO.web lists at once; a site may have set less.
const pageSize = 500

// object is anything that OMERO.web describes.
type object struct {
	ID      int64    `json:"@id"`
	Name    string   `json:"name"` // "Name"; case does not matter
	Details *details `json:"omero:details"`
	// Children are how many objects it holds, if that was asked.
	Children *int `json:"omero:childCount"` //nolint:tagliatelle // OMERO's name
}

// details say who owns an object, and who may do what with it.
type details struct {
	Owner struct {
		ID   int64  `json:"@id"`
		Name string `json:"UserName"` //nolint:tagliatelle // OMERO's name
	} `json:"owner"`
	Group struct {
		ID   int64  `json:"@id"`
		Name string `json:"name"` // "Name"; case does not matter
	} `json:"group"`
	Permissions struct {
		CanLink bool `json:"canLink"` //nolint:tagliatelle // OMERO's name
	} `json:"permissions"`
}

// listing is what a list held.
type listing struct {
	objects map[int64]object
	whole   bool // it is all that the server counted
}

// list reads all pages of a list. They are ordered by name, and those of one name not at
// all: while pages are turned, one of them may be missed.
func (s *Session) list(ctx context.Context, what, path string, query url.Values) (listing, error) {
	l := listing{objects: map[int64]object{}}
	for offset := 0; ; {
		var page struct {
			Data []object `json:"data"`
			Meta struct {
				TotalCount int `json:"totalCount"` //nolint:tagliatelle // OMERO's name
			} `json:"meta"`
		}
		q := url.Values{}
		maps.Copy(q, query)
		q.Set("limit", strconv.Itoa(pageSize))
		q.Set("offset", strconv.Itoa(offset))
		if err := s.talk.do(ctx, request{what: what, path: path, query: q, repeat: true}, &page); err != nil {
			return listing{}, err
		}
		before := len(l.objects)
		for _, o := range page.Data {
			l.objects[o.ID] = o
		}
		offset += len(page.Data)
		// One that does not turn pages would be read forever.
		if offset >= page.Meta.TotalCount || len(l.objects) == before {
			l.whole = len(l.objects) >= page.Meta.TotalCount
			return l, nil
		}
	}
}

// container returns an object as others know it.
func (o object) container() model.Container {
	c := model.Container{ID: o.ID, Name: o.Name}
	if o.Details != nil {
		c.Owner, c.Group, c.CanLink = o.Details.Owner.Name, o.Details.Group.Name, o.Details.Permissions.CanLink
	}
	return c
}
