package server

// Actor is who does something: a user in the group of a session.
type Actor struct {
	Session Session
	User    User
	Group   Group
}

// details are those of what the actor makes.
func (a Actor) details() Details { return Details{Owner: a.User.ID, Group: a.Group.ID} }

// anywhere is the number of no group: all of the actor's groups are meant.
const anywhere int64 = -1

// sees reports whether the actor may read an object in a group, or anywhere.
func (w *World) sees(a Actor, d Details, group int64) bool {
	if group != anywhere && d.Group != group {
		return false
	}
	if a.User.Admin {
		return true
	}
	m, ok := w.member(a.User.ID, d.Group)
	if !ok {
		return false
	}
	return d.Owner == a.User.ID || m.Leader || w.Group(d.Group).Permissions != Private
}

// Sees reports whether the actor may read an object, in the session's group or,
// if all is set, in any group.
func (w *World) Sees(a Actor, d Details, all bool) bool {
	if all {
		return w.sees(a, d, anywhere)
	}
	return w.sees(a, d, a.Group.ID)
}

// CanLink is permissions.canLink of an object: whether the actor may put
// something into it.
func (w *World) CanLink(a Actor, d Details) bool {
	if a.User.Admin || d.Owner == a.User.ID {
		return true
	}
	m, ok := w.member(a.User.ID, d.Group)
	return ok && (m.Leader || w.Group(d.Group).Permissions == ReadWrite)
}

// CanAnnotate is permissions.canAnnotate of an object.
func (w *World) CanAnnotate(a Actor, d Details) bool {
	if w.CanLink(a, d) {
		return true
	}
	_, ok := w.member(a.User.ID, d.Group)
	return ok && w.Group(d.Group).Permissions == ReadAnnotate
}

// CanEdit is permissions.canEdit of an object; linking asks for the same.
func (w *World) CanEdit(a Actor, d Details) bool { return w.CanLink(a, d) }
