package omerotest

import "biomero-importer/importer/omero/omerotest/internal/server"

// AddUser adds a user, who is a member of the group "user" as everybody is. An
// Admin may act for others with the privilege Sudo only.
func (o *Omero) AddUser(u User) int64 {
	o.tb.Helper()
	var id int64
	o.update(func(tx *server.Tx) { id = tx.AddUser(u).ID })
	return id
}

// AddGroup adds a group.
func (o *Omero) AddGroup(name, permissions string) int64 {
	o.tb.Helper()
	var id int64
	o.update(func(tx *server.Tx) { id = tx.AddGroup(Group{Name: name, Permissions: permissions}).ID })
	return id
}

// AddMember puts a user into a group. The first group of a user is the one of
// sessions that name none.
func (o *Omero) AddMember(m Member) {
	o.tb.Helper()
	o.update(func(tx *server.Tx) { tx.AddMember(m) })
}

// AddProject adds a Project.
func (o *Omero) AddProject(name string, owner, group int64) int64 {
	o.tb.Helper()
	return o.addContainer(server.Project, name, owner, group)
}

// AddDataset adds a Dataset, into a Project unless that is 0.
func (o *Omero) AddDataset(name string, owner, group, project int64) int64 {
	o.tb.Helper()
	id := o.addContainer(server.Dataset, name, owner, group)
	if project != 0 {
		o.update(func(tx *server.Tx) {
			tx.AddLink(server.ProjectDatasetLink, project, id, Details{Owner: owner, Group: group})
		})
	}
	return id
}

// AddScreen adds a Screen.
func (o *Omero) AddScreen(name string, owner, group int64) int64 {
	o.tb.Helper()
	return o.addContainer(server.Screen, name, owner, group)
}

func (o *Omero) addContainer(kind, name string, owner, group int64) int64 {
	o.tb.Helper()
	var id int64
	o.update(func(tx *server.Tx) {
		id = tx.AddContainer(Container{Type: kind, Name: name, Details: Details{Owner: owner, Group: group}}).ID
	})
	return id
}
