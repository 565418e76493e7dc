package server

import "slices"

// kinds are the types at the two ends of a link.
var kinds = map[string][2]string{
	ProjectDatasetLink:  {Project, Dataset},
	DatasetImageLink:    {Dataset, "Image"},
	ScreenPlateLink:     {Screen, "Plate"},
	ImageAnnotationLink: {"Image", "MapAnnotation"},
	PlateAnnotationLink: {"Plate", "MapAnnotation"},
}

// Ends are the types of the objects that a type of links links.
func Ends(link string) (parent, child string, ok bool) {
	ends, ok := kinds[link]
	return ends[0], ends[1], ok
}

// NewContainer makes a container of the actor's, in the session's group.
func (tx *Tx) NewContainer(a Actor, c Container) Container {
	c.Details = a.details()
	return tx.putContainer(c)
}

// NewAnnotation makes a map annotation of the actor's, in the session's group.
func (tx *Tx) NewAnnotation(a Actor, n Annotation) Annotation {
	n.Details = a.details()
	return tx.putAnnotation(n)
}

// NewLink links two objects. Both have to be in the session's group, and nobody
// makes the same link twice.
func (tx *Tx) NewLink(a Actor, l Link) (Link, error) {
	l.Details = a.details()
	ends := kinds[l.Type]
	parent, err := tx.end(a, ends[0], l.Parent)
	if err != nil {
		return Link{}, err
	}
	if _, err := tx.end(a, ends[1], l.Child); err != nil {
		return Link{}, err
	}
	annotates := ends[1] == "MapAnnotation"
	if (annotates && !tx.CanAnnotate(a, parent)) || (!annotates && !tx.CanLink(a, parent)) {
		return Link{}, exception(SecurityViolation, "Insufficient privileges to link to ome.model.%s:%d", ends[0], l.Parent)
	}
	if tx.linked[l.key()] {
		return Link{}, exception(Validation, "could not insert: [ome.model.%s]; SQL [insert into %s]; constraint [null]; "+
			"nested exception is org.hibernate.exception.ConstraintViolationException: could not insert: [ome.model.%s]",
			l.Type, l.Type, l.Type)
	}
	return tx.putLink(l), nil
}

// end checks one object of a link.
func (tx *Tx) end(a Actor, kind string, id int64) (Details, error) {
	d, ok := tx.object(kind, id)
	if !ok || !tx.Sees(a, d, true) {
		return d, exception(Validation, "could not insert: no such %s:%d", kind, id)
	}
	if d.Group != a.Group.ID {
		return d, exception(SecurityViolation, "Cannot link to %s:%d: it is in group %d, the session in %d", kind, id, d.Group, a.Group.ID)
	}
	return d, nil
}

// Editable checks that there is an object that the actor may change.
func (w *World) Editable(a Actor, kind string, id int64) error {
	d, ok := w.object(kind, id)
	if !ok || !w.Sees(a, d, true) {
		return exception(Validation, "No object found: %s:%d", kind, id)
	}
	if d.Group != a.Group.ID || !w.CanEdit(a, d) {
		return exception(SecurityViolation, "Updating %s:%d not allowed", kind, id)
	}
	return nil
}

// Exists checks that there is an object that the actor may read, in any group.
func (w *World) Exists(a Actor, kind string, id int64) bool {
	d, ok := w.object(kind, id)
	return ok && w.Sees(a, d, true)
}

// Edit changes the name and the description of an object that is Editable; nil
// leaves them.
func (tx *Tx) Edit(kind string, id int64, name, description *string) {
	set := func(to, value *string) {
		if value != nil {
			*to = *value
		}
	}
	switch kind {
	case Project, Dataset, Screen:
		c, _ := tx.Container(kind, id)
		set(&c.Name, name)
		set(&c.Description, description)
		tx.putContainer(c)
	case "Image":
		i, _ := tx.Image(id)
		set(&i.Name, name)
		set(&i.Description, description)
		tx.putImage(i)
	case "Plate":
		p, _ := tx.Plate(id)
		set(&p.Name, name)
		set(&p.Description, description)
		tx.putPlate(p)
	}
}

// EditAnnotation changes an annotation that is Editable.
func (tx *Tx) EditAnnotation(id int64, change func(*Annotation)) {
	a, _ := tx.Annotation(id)
	a.Pairs = slices.Clone(a.Pairs)
	change(&a)
	tx.putAnnotation(a)
}

// MapSet sets the first pair with a key, or adds one: the command line's
// map-set, which therefore makes no key twice (contract, "Everything but the
// import").
func MapSet(a *Annotation, key, value string) {
	for i := range a.Pairs {
		if a.Pairs[i][0] == key {
			a.Pairs[i][1] = value
			return
		}
	}
	a.Pairs = append(a.Pairs, [2]string{key, value})
}

// MapUnset removes all pairs with a key.
func MapUnset(a *Annotation, key string) {
	a.Pairs = slices.DeleteFunc(a.Pairs, func(pair [2]string) bool { return pair[0] == key })
}
