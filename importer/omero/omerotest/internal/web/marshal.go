package web

import (
	"fmt"
	"maps"
	"net/http"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

const schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06#"

func experimenters(w *server.World) []item {
	var all []item
	for _, u := range w.Users() {
		all = append(all, item{id: u.ID, sort: u.LastName + " " + u.FirstName, free: true, fields: object{
			"UserName": u.Name, "FirstName": u.FirstName, "LastName": u.LastName,
		}})
	}
	return all
}

func groups(w *server.World) []item {
	var all []item
	for _, g := range w.Groups() {
		all = append(all, item{id: g.ID, sort: g.Name, free: true, fields: object{
			"Name": g.Name, "omero:details": object{"permissions": object{"@type": "TBD#Permissions", "perm": g.Permissions}},
		}})
	}
	return all
}

// named is an object with a name and, if it has one, a description.
func named(id int64, name, description string, d server.Details) item {
	fields := object{"Name": name}
	if description != "" {
		fields["Description"] = description
	}
	return item{id: id, sort: name, details: d, fields: fields}
}

func containers(kind string) func(*server.World) []item {
	return func(w *server.World) []item {
		var all []item
		for _, c := range w.Containers(kind) {
			all = append(all, named(c.ID, c.Name, c.Description, c.Details))
		}
		return all
	}
}

func plates(w *server.World) []item {
	var all []item
	for _, p := range w.Plates() {
		all = append(all, named(p.ID, p.Name, p.Description, p.Details))
	}
	return all
}

func images(w *server.World) []item {
	var all []item
	for _, i := range w.Images() {
		all = append(all, named(i.ID, i.Name, i.Description, i.Details))
	}
	return all
}

// marshal writes an object as omero-marshal does, and adds what the request asks
// for besides.
func (h *Handler) marshal(w *server.World, a server.Actor, r *http.Request, k entity, i item) object {
	o := object{"@id": i.id, "@type": schema + k.name}
	maps.Copy(o, i.fields)
	if !i.free {
		o["omero:details"] = details(w, a, i.details)
	}
	if r.URL.Query().Get("childCount") == "true" && k.link != "" {
		count := 0
		for _, l := range w.Links() {
			if l.Type == k.link && l.Parent == i.id {
				count++
			}
		}
		o["omero:childCount"] = count
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	for _, child := range k.children {
		o["url:"+child.path] = fmt.Sprintf("%s://%s/api/v0/m/%s/%d/%s/", scheme, r.Host, k.path, i.id, child.path)
	}
	return o
}

func details(w *server.World, a server.Actor, d server.Details) object {
	owner, group := w.User(d.Owner), w.Group(d.Group)
	return object{
		"@type": "TBD#Details",
		"owner": object{
			"@id": owner.ID, "@type": schema + "Experimenter",
			"UserName": owner.Name, "FirstName": owner.FirstName, "LastName": owner.LastName,
		},
		"group": object{"@id": group.ID, "@type": schema + "ExperimenterGroup", "Name": group.Name},
		"permissions": object{
			"@type": "TBD#Permissions", "perm": group.Permissions,
			"canAnnotate": w.CanAnnotate(a, d), "canDelete": w.CanEdit(a, d),
			"canEdit": w.CanEdit(a, d), "canLink": w.CanLink(a, d),
			"isUserRead": true, "isUserWrite": true, "isGroupRead": group.Permissions != server.Private,
			"isGroupWrite": group.Permissions == server.ReadWrite, "isWorldRead": false, "isWorldWrite": false,
		},
	}
}
