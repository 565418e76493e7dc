package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"biomero-importer/importer"
)

// schema is that of the objects which OMERO.web takes.
const schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06#"

// place is where containers of a type are listed and made.
type place struct {
	kind    string // as OMERO spells it
	list    string
	project int64 // that they are in; 0 if that does not matter
}

// Find returns the id of the user's own container of that name in the session's group, and
// makes it when there is none. Of several the lowest is returned. With a project, it is one
// in the user's own project of that name, which is made as well. Of those who look for the
// same through one client at the same time, one makes it and the others find it.
func (s *Session) Find(ctx context.Context, c importer.Container) (int64, error) {
	if c.Name == "" {
		return 0, &importer.Error{Reason: fmt.Sprintf("A %s without a name can neither be found nor made in OMERO.", c.Type)}
	}
	at := place{kind: string(c.Type), list: "/api/v0/m/" + plural(c.Type) + "/"}
	if c.Type == importer.Dataset && c.Project != "" {
		project, err := s.findOrMake(ctx, place{kind: "Project", list: "/api/v0/m/projects/"}, c.Project)
		if err != nil {
			return 0, err
		}
		at.project, at.list = project, fmt.Sprintf("/api/v0/m/projects/%d/datasets/", project)
	}
	return s.findOrMake(ctx, at, c.Name)
}

// findOrMake looks, and makes what is missing, one at a time.
func (s *Session) findOrMake(ctx context.Context, at place, name string) (int64, error) {
	if id, err := s.lookUp(ctx, at, name); id != 0 || err != nil {
		return id, err
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return 0, fmt.Errorf("find %s %q: %w", at.kind, name, ctx.Err())
	}
	if id, err := s.lookUp(ctx, at, name); id != 0 || err != nil {
		return id, err
	}
	if at.project == 0 {
		return s.make(ctx, at, name)
	}
	id, err := s.leftover(ctx, name)
	if id == 0 && err == nil {
		id, err = s.make(ctx, at, name)
	}
	if err == nil {
		err = s.link(ctx, at, id, name)
	}
	if err != nil {
		return 0, err
	}
	return id, nil
}

// lookUp returns the lowest id of those of a name, or 0.
func (s *Session) lookUp(ctx context.Context, at place, name string) (int64, error) {
	found, err := s.named(ctx, at, name, url.Values{})
	if len(found) == 0 || err != nil {
		return 0, err
	}
	return found[0].ID, nil
}

// named returns those of the user's own that have a name, by their ids.
func (s *Session) named(ctx context.Context, at place, name string, query url.Values) ([]object, error) {
	query.Set("owner", strconv.FormatInt(s.userID, 10))
	query.Set("group", strconv.FormatInt(s.groupID, 10))
	found := map[int64]object{}
	// A list that is not whole is read again, once: a count may also be wrong for good.
	for range 2 {
		l, err := s.list(ctx, fmt.Sprintf("find %s %q", at.kind, name), at.list, query)
		if err != nil {
			return nil, err
		}
		for _, o := range l.objects {
			if o.Name == name && s.owns(o) {
				found[o.ID] = o
			}
		}
		if l.whole {
			break
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b object) int { return cmp.Compare(a.ID, b.ID) }), nil
}

// leftover returns the id of a dataset that was made for a project, but is not in it, or 0:
// making and putting there are two requests. It is empty and in no project; whoever else
// made it misses nothing.
func (s *Session) leftover(ctx context.Context, name string) (int64, error) {
	at := place{kind: "Dataset", list: "/api/v0/m/datasets/"}
	found, err := s.named(ctx, at, name, url.Values{"childCount": {"true"}})
	if err != nil {
		return 0, err
	}
	for _, o := range found {
		if o.Children == nil || *o.Children > 0 {
			continue
		}
		l, err := s.list(ctx, fmt.Sprintf("find the projects of Dataset %d", o.ID), fmt.Sprintf("/api/v0/m/datasets/%d/projects/", o.ID), nil)
		if err != nil {
			return 0, err
		}
		if l.whole && len(l.objects) == 0 {
			return o.ID, nil
		}
	}
	return 0, nil
}

// owns tells whether an object is the user's own, in the session's group.
func (s *Session) owns(o object) bool {
	return o.Details == nil || o.Details.Owner.ID == s.userID && o.Details.Group.ID == s.groupID
}

// make makes a container.
func (s *Session) make(ctx context.Context, at place, name string) (int64, error) {
	r := request{
		what: fmt.Sprintf("make %s %q", at.kind, name), method: http.MethodPost, path: "/api/v0/m/save/",
		query: url.Values{"group": {strconv.FormatInt(s.groupID, 10)}},
		json:  map[string]string{"@type": schema + at.kind, "Name": name},
	}
	var made struct {
		Data object `json:"data"`
	}
	if err := s.talk.do(ctx, r, &made); err != nil {
		return 0, err
	}
	if made.Data.ID == 0 {
		return 0, r.unavailable("its answer does not say which one it is")
	}
	return made.Data.ID, nil
}

// link puts a new dataset into its project. OMERO.web says so even when it did not.
func (s *Session) link(ctx context.Context, at place, id int64, name string) error {
	what := fmt.Sprintf("put %s %d into Project %d", at.kind, id, at.project)
	err := s.talk.do(ctx, request{
		what: what, method: http.MethodPost, path: "/webclient/api/links/", repeat: true,
		json: map[string]any{"project": map[string]any{strconv.FormatInt(at.project, 10): map[string]any{"dataset": []int64{id}}}},
	}, nil)
	if err != nil {
		return err
	}
	found, err := s.lookUp(ctx, at, name)
	if err == nil && found == 0 {
		err = &importer.Error{
			Reason: fmt.Sprintf("OMERO made Dataset %d, %q, but did not put it into Project %d; put it there, or try again.", id, name, at.project),
			Err:    fmt.Errorf("%s: it is not there", what),
		}
	}
	return err
}
