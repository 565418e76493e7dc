package server

import "slices"

// State is everything on the server at one moment, for tests to look at.
type State struct {
	Users       []User
	Groups      []Group
	Members     []Member
	Projects    []Container
	Datasets    []Container
	Screens     []Container
	Filesets    []Fileset
	Images      []Image
	Plates      []Plate
	Annotations []Annotation
	Links       []Link
	Sessions    []Session
	Calls       []Call
	Requests    []Request
}

// State copies what is there.
func (w *World) State() State {
	s := State{
		Users: slices.Clone(w.users.rows), Groups: slices.Clone(w.groups.rows),
		Members:  slices.Clone(w.members.rows),
		Projects: slices.Clone(w.projects.rows), Datasets: slices.Clone(w.datasets.rows),
		Screens: slices.Clone(w.screens.rows), Filesets: slices.Clone(w.filesets.rows),
		Images: slices.Clone(w.images.rows), Plates: slices.Clone(w.plates.rows),
		Annotations: slices.Clone(w.annotations.rows), Links: slices.Clone(w.links.rows),
		Sessions: slices.Clone(w.sessions.rows), Calls: slices.Clone(w.calls.rows),
		Requests: slices.Clone(w.requests.rows),
	}
	for _, link := range s.Links {
		switch link.Type {
		case ProjectDatasetLink:
			if at, ok := w.datasets.index[link.Child]; ok {
				s.Datasets[at].Projects = append(s.Datasets[at].Projects, link.Parent)
			}
		case DatasetImageLink:
			if at, ok := w.images.index[link.Child]; ok {
				s.Images[at].Datasets = append(s.Images[at].Datasets, link.Parent)
			}
		case ScreenPlateLink:
			if at, ok := w.plates.index[link.Child]; ok {
				s.Plates[at].Screens = append(s.Plates[at].Screens, link.Parent)
			}
		case ImageAnnotationLink:
			if at, ok := w.annotations.index[link.Child]; ok {
				s.Annotations[at].Images = append(s.Annotations[at].Images, link.Parent)
			}
		case PlateAnnotationLink:
			if at, ok := w.annotations.index[link.Child]; ok {
				s.Annotations[at].Plates = append(s.Annotations[at].Plates, link.Parent)
			}
		}
	}
	return s
}

// Value is the value of the annotation's first pair with a key, or "".
func (a Annotation) Value(key string) string {
	for _, pair := range a.Pairs {
		if pair[0] == key {
			return pair[1]
		}
	}
	return ""
}
