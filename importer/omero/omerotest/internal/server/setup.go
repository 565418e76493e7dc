package server

// Init makes what every OMERO has: the groups system and user, and root.
func (tx *Tx) Init(options Options, rootPassword string) {
	tx.SetOptions(options)
	tx.putGroup(Group{ID: SystemGroup, Name: "system", Permissions: Private})
	tx.putGroup(Group{ID: UserGroup, Name: "user", Permissions: ReadOnly})
	tx.putGroup(Group{ID: 2, Name: "guest", Permissions: Private})
	tx.putUser(User{ID: RootID, Name: "root", Password: rootPassword, FirstName: "root", LastName: "root", Admin: true, Sudo: true})
	tx.putUser(User{ID: 1, Name: "guest", FirstName: "Guest", LastName: "Account"})
	tx.putMember(Member{User: RootID, Group: SystemGroup, Leader: true})
	tx.putMember(Member{User: RootID, Group: UserGroup})
	tx.putMember(Member{User: 1, Group: 2})
}

// AddUser adds a user, who is in the group user, and in system if an admin.
func (tx *Tx) AddUser(u User) User {
	u.ID = tx.users.last + 1
	tx.putUser(u)
	tx.putMember(Member{User: u.ID, Group: UserGroup})
	if u.Admin {
		tx.putMember(Member{User: u.ID, Group: SystemGroup})
	}
	return u
}

// AddGroup adds a group.
func (tx *Tx) AddGroup(g Group) Group {
	g.ID = tx.groups.last + 1
	tx.putGroup(g)
	return g
}

// AddMember puts a user into a group.
func (tx *Tx) AddMember(m Member) { tx.putMember(m) }

// AddContainer adds a Project, Dataset or Screen of anybody.
func (tx *Tx) AddContainer(c Container) Container { return tx.putContainer(c) }

// AddLink links two objects in the name of the parent's owner.
func (tx *Tx) AddLink(kind string, parent, child int64, d Details) {
	tx.putLink(Link{Type: kind, Parent: parent, Child: child, Details: d})
}
