package server

import "slices"

// change is one line of the journal: rows that are new, or replace others, all
// at once.
type change struct {
	Users       []User       `json:"users,omitempty"`
	Groups      []Group      `json:"groups,omitempty"`
	Members     []Member     `json:"members,omitempty"`
	Containers  []Container  `json:"containers,omitempty"`
	Filesets    []Fileset    `json:"filesets,omitempty"`
	Images      []Image      `json:"images,omitempty"`
	Plates      []Plate      `json:"plates,omitempty"`
	Annotations []Annotation `json:"annotations,omitempty"`
	Links       []Link       `json:"links,omitempty"`
	Sessions    []Session    `json:"sessions,omitempty"`
	Calls       []Call       `json:"calls,omitempty"`
	Requests    []Request    `json:"requests,omitempty"`
	Plans       []Plan       `json:"plans,omitempty"`
	Options     *Options     `json:"options,omitempty"`
	Deletions   []deletion   `json:"deletions,omitempty"`
}

// World is everything on the server at one moment.
type World struct {
	users       table[User]
	groups      table[Group]
	members     table[Member]
	projects    table[Container]
	datasets    table[Container]
	screens     table[Container]
	filesets    table[Fileset]
	images      table[Image]
	plates      table[Plate]
	annotations table[Annotation]
	links       table[Link]
	sessions    table[Session]
	calls       table[Call]
	requests    table[Request]
	plans       table[Plan]
	options     Options
	linked      map[linkKey]bool
}

// linkKey is what the database keeps unique of links.
type linkKey struct {
	kind                 string
	parent, child, owner int64
}

func (l Link) key() linkKey { return linkKey{l.Type, l.Parent, l.Child, l.Owner} }

func newWorld() *World { return &World{linked: map[linkKey]bool{}} }

func putAll[T row](t *table[T], rows []T) {
	for _, r := range rows {
		t.put(r)
	}
}

func (w *World) apply(c *change) {
	putAll(&w.users, c.Users)
	putAll(&w.groups, c.Groups)
	putAll(&w.members, c.Members)
	for _, container := range c.Containers {
		w.containers(container.Type).put(container)
	}
	putAll(&w.filesets, c.Filesets)
	putAll(&w.images, c.Images)
	putAll(&w.plates, c.Plates)
	putAll(&w.annotations, c.Annotations)
	for _, link := range c.Links {
		w.links.put(link)
		w.linked[link.key()] = true
	}
	putAll(&w.sessions, c.Sessions)
	putAll(&w.calls, c.Calls)
	putAll(&w.requests, c.Requests)
	putAll(&w.plans, c.Plans)
	if c.Options != nil {
		w.options = *c.Options
	}
	for i := range c.Deletions {
		w.delete(&c.Deletions[i])
	}
}

// containers is the table of a type of containers. Each type has numbers of its
// own, which the others have too.
func (w *World) containers(kind string) *table[Container] {
	switch kind {
	case Project:
		return &w.projects
	case Screen:
		return &w.screens
	default:
		return &w.datasets
	}
}

// Options are those in force.
func (w *World) Options() Options { return w.options }

// UserNamed finds a user.
func (w *World) UserNamed(name string) (User, bool) {
	at := slices.IndexFunc(w.users.rows, func(u User) bool { return u.Name == name })
	if at < 0 {
		return User{}, false
	}
	return w.users.rows[at], true
}

// GroupNamed finds a group.
func (w *World) GroupNamed(name string) (Group, bool) {
	at := slices.IndexFunc(w.groups.rows, func(g Group) bool { return g.Name == name })
	if at < 0 {
		return Group{}, false
	}
	return w.groups.rows[at], true
}

// User is the user of a number, which has to exist.
func (w *World) User(id int64) User {
	u, _ := w.users.get(id)
	return u
}

// Group is the group of a number, which has to exist.
func (w *World) Group(id int64) Group {
	g, _ := w.groups.get(id)
	return g
}

// Members are who is in which group.
func (w *World) Members() []Member { return w.members.rows }

// member finds what a user is in a group.
func (w *World) member(user, group int64) (Member, bool) {
	for _, m := range w.members.rows {
		if m.User == user && m.Group == group {
			return m, true
		}
	}
	return Member{}, false
}
