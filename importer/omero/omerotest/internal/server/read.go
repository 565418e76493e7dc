package server

// Projects, and the other readers, give what there is, to read only.
func (w *World) Containers(kind string) []Container { return w.containers(kind).rows }

// Filesets are all filesets.
func (w *World) Filesets() []Fileset { return w.filesets.rows }

// Images are all images.
func (w *World) Images() []Image { return w.images.rows }

// Plates are all plates.
func (w *World) Plates() []Plate { return w.plates.rows }

// Links are all links.
func (w *World) Links() []Link { return w.links.rows }

// Annotations are all annotations.
func (w *World) Annotations() []Annotation { return w.annotations.rows }

// Users are all users.
func (w *World) Users() []User { return w.users.rows }

// Groups are all groups.
func (w *World) Groups() []Group { return w.groups.rows }

// Container finds a container.
func (w *World) Container(kind string, id int64) (Container, bool) { return w.containers(kind).get(id) }

// Fileset finds a fileset.
func (w *World) Fileset(id int64) (Fileset, bool) { return w.filesets.get(id) }

// Image finds an image.
func (w *World) Image(id int64) (Image, bool) { return w.images.get(id) }

// Plate finds a plate.
func (w *World) Plate(id int64) (Plate, bool) { return w.plates.get(id) }

// Annotation finds an annotation.
func (w *World) Annotation(id int64) (Annotation, bool) { return w.annotations.get(id) }

// object finds what a link can link, by its type.
func (w *World) object(kind string, id int64) (Details, bool) {
	switch kind {
	case Project, Dataset, Screen:
		c, ok := w.containers(kind).get(id)
		return c.Details, ok
	case "Image":
		i, ok := w.images.get(id)
		return i.Details, ok
	case "Plate":
		p, ok := w.plates.get(id)
		return p.Details, ok
	case "MapAnnotation":
		a, ok := w.annotations.get(id)
		return a.Details, ok
	default:
		return Details{}, false
	}
}

// GroupOf is the group of an object that there is.
func (w *World) GroupOf(kind string, id int64) int64 {
	d, _ := w.object(kind, id)
	return d.Group
}
