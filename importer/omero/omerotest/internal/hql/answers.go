package hql

import (
	"path/filepath"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

func userID(q Query, v values) []Row {
	u, ok := q.World.UserNamed(v.texts[0])
	if !ok {
		return nil
	}
	return []Row{{id(u.ID)}}
}

// repositories are files, in common space.
func repositories(q Query, v values) []Row {
	o := q.World.Options()
	if v.texts[0] != "Repository" || o.Repository == "" {
		return nil
	}
	return []Row{{filepath.Dir(o.Repository) + "/", filepath.Base(o.Repository), o.RepositoryUUID}}
}

// memberships are those of a user; everybody may see them.
func (q Query) memberships(name string) []server.Member {
	u, ok := q.World.UserNamed(name)
	if !ok {
		return nil
	}
	var all []server.Member
	for _, m := range q.World.Members() {
		if m.User == u.ID {
			all = append(all, m)
		}
	}
	return all
}

func groupsOf(q Query, v values) []Row {
	var rows []Row
	for _, m := range q.memberships(v.texts[0]) {
		rows = append(rows, Row{id(m.Group), q.World.Group(m.Group).Name})
	}
	return rows
}

func isLeader(q Query, v values) []Row {
	var rows []Row
	for _, m := range q.memberships(v.texts[0]) {
		if q.World.Group(m.Group).Name == v.texts[1] {
			rows = append(rows, Row{boolean(m.Leader)})
		}
	}
	return rows
}

func container(kind string) func(Query, values) []Row {
	return func(q Query, v values) []Row {
		c, ok := q.World.Container(kind, v.ids[0])
		if !ok || !q.sees(c.Details) {
			return nil
		}
		group := q.World.Group(c.Group)
		row := Row{c.Name, q.World.User(c.Owner).Name, group.Name, perm1(group.Permissions)}
		return []Row{append(row, highest(q, v)[0]...)}
	}
}

// highest are the highest ids of a fileset and an image.
func highest(q Query, _ values) []Row {
	var fileset, image int64
	for _, f := range q.World.Filesets() {
		if q.sees(f.Details) {
			fileset = max(fileset, f.ID)
		}
	}
	for _, i := range q.World.Images() {
		if q.sees(i.Details) {
			image = max(image, i.ID)
		}
	}
	row := Row{Null, Null}
	for n, last := range []int64{fileset, image} {
		if last > 0 {
			row[n] = id(last)
		}
	}
	return []Row{row}
}

// registered are images without a fileset in a Dataset.
func registered(q Query, v values) []Row {
	var rows []Row
	for _, l := range q.World.Links() {
		if l.Type != server.DatasetImageLink || l.Parent != v.ids[0] || l.Child <= v.ids[1] {
			continue
		}
		if i, ok := q.World.Image(l.Child); ok && i.Fileset == 0 && q.sees(i.Details) && q.World.User(i.Owner).Name == v.texts[0] {
			rows = append(rows, Row{id(i.ID), i.Name})
		}
	}
	return rows
}

// loose are annotations that hang on no image or plate.
func loose(q Query, v values) []Row {
	linked := map[int64]bool{}
	for _, l := range q.World.Links() {
		if l.Type == server.ImageAnnotationLink || l.Type == server.PlateAnnotationLink {
			linked[l.Child] = true
		}
	}
	var rows []Row
	for _, a := range q.World.Annotations() {
		if !linked[a.ID] && a.NS == v.texts[0] && a.Description == v.texts[1] && q.sees(a.Details) {
			rows = append(rows, Row{id(a.ID)})
		}
	}
	return rows
}

func named(kind string) func(Query, values) []Row {
	return func(q Query, v values) []Row {
		var rows []Row
		for _, c := range q.World.Containers(kind) {
			if c.Name == v.texts[0] && q.World.User(c.Owner).Name == v.texts[1] && q.sees(c.Details) {
				rows = append(rows, Row{id(c.ID)})
			}
		}
		return rows
	}
}

func inProject(q Query, v values) []Row {
	var rows []Row
	for _, l := range q.World.Links() {
		if l.Type != server.ProjectDatasetLink || l.Parent != v.ids[0] || !q.sees(l.Details) {
			continue
		}
		if d, ok := q.World.Container(server.Dataset, l.Child); ok && d.Name == v.texts[0] && q.sees(d.Details) {
			rows = append(rows, Row{id(d.ID)})
		}
	}
	return rows
}

// files are the rows of the filesets that are wanted.
func (q Query) files(wanted func(server.Fileset) bool) []Row {
	var rows []Row
	for _, f := range q.World.Filesets() {
		if !q.sees(f.Details) || !wanted(f) {
			continue
		}
		for _, path := range f.ClientPaths {
			rows = append(rows, Row{id(f.ID), f.TemplatePrefix, path})
		}
	}
	return rows
}

func usedFiles(q Query, v values) []Row {
	return q.files(func(f server.Fileset) bool { return v.numbers[f.ID] })
}

// unfinished have no images.
func unfinished(q Query, v values) []Row {
	has := map[int64]bool{}
	for _, i := range q.World.Images() {
		has[i.Fileset] = true
	}
	return q.files(func(f server.Fileset) bool { return q.newer(f, v) && !has[f.ID] })
}

func inDataset(q Query, v values) []Row {
	in := map[int64]bool{}
	for _, l := range q.World.Links() {
		if l.Type == server.DatasetImageLink && l.Parent == v.ids[1] {
			if i, ok := q.World.Image(l.Child); ok && q.sees(i.Details) {
				in[i.Fileset] = true
			}
		}
	}
	return q.files(func(f server.Fileset) bool { return q.newer(f, v) && in[f.ID] })
}

func inScreen(q Query, v values) []Row {
	plates := map[int64]bool{}
	for _, l := range q.World.Links() {
		if l.Type == server.ScreenPlateLink && l.Parent == v.ids[1] {
			plates[l.Child] = true
		}
	}
	in := map[int64]bool{}
	for _, i := range q.World.Images() {
		if plates[i.Plate] && q.sees(i.Details) {
			in[i.Fileset] = true
		}
	}
	return q.files(func(f server.Fileset) bool { return q.newer(f, v) && in[f.ID] })
}

func (q Query) newer(f server.Fileset, v values) bool {
	return f.ID > v.ids[0] && q.World.User(f.Owner).Name == v.texts[0]
}

func imagesOf(q Query, v values) []Row {
	var rows []Row
	for _, i := range q.World.Images() {
		if v.numbers[i.Fileset] && i.Fileset != 0 && q.sees(i.Details) {
			rows = append(rows, Row{id(i.Fileset), id(i.ID)})
		}
	}
	return rows
}

func platesOf(q Query, v values) []Row {
	var rows []Row
	seen := map[[2]int64]bool{}
	for _, i := range q.World.Images() {
		pair := [2]int64{i.Fileset, i.Plate}
		if i.Plate == 0 || !v.numbers[i.Fileset] || seen[pair] || !q.sees(i.Details) {
			continue
		}
		seen[pair] = true
		rows = append(rows, Row{id(i.Fileset), id(i.Plate)})
	}
	return rows
}

// annotated calls visit for what is annotated within a namespace.
func (q Query) annotated(link, ns string, objects map[int64]bool, visit func(object int64, a server.Annotation)) {
	for _, l := range q.World.Links() {
		if l.Type != link || !objects[l.Parent] || !q.sees(l.Details) {
			continue
		}
		if a, ok := q.World.Annotation(l.Child); ok && a.NS == ns && q.sees(a.Details) {
			visit(l.Parent, a)
		}
	}
}

func annotations(link string) func(Query, values) []Row {
	return func(q Query, v values) []Row {
		var rows []Row
		q.annotated(link, v.texts[0], v.numbers, func(object int64, a server.Annotation) {
			rows = append(rows, Row{id(object), id(a.ID)})
		})
		return rows
	}
}

func mapValues(link string) func(Query, values) []Row {
	return func(q Query, v values) []Row {
		var rows []Row
		q.annotated(link, v.texts[0], v.numbers, func(object int64, a server.Annotation) {
			for _, pair := range a.Pairs {
				if pair[0] == v.texts[1] {
					rows = append(rows, Row{id(object), id(a.ID), pair[1]})
				}
			}
		})
		return rows
	}
}
