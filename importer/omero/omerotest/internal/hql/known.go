package hql

import (
	"cmp"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// known are the queries that are answered.
var known = makeKnown()

type question struct {
	pattern pattern
	answer  func(Query, values) []Row
}

func makeKnown() []question {
	all := []question{
		{newPattern("select e.id from Experimenter e where e.omeName=$text"), userID},
		{newPattern("select f.path, f.name, f.hash from OriginalFile f where f.mimetype=$text"), repositories},
		{newPattern("select e.email from Experimenter e where e.omeName=$text"), mailOf},
		{newPattern("select m.parent.id, m.parent.name from GroupExperimenterMap m where m.child.omeName=$text"), groupsOf},
		{newPattern("select m.owner from GroupExperimenterMap m where m.child.omeName=$text and m.parent.name=$text"), isLeader},
		{newPattern("select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where fs.id in ($numbers)"), usedFiles},
		{newPattern(`select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u
			where fs.id > $number and fs.details.owner.omeName=$text and fs.id in (select i.fileset.id
			from Image i join i.datasetLinks l where l.parent.id=$number)`), inDataset},
		{newPattern(`select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u
			where fs.id > $number and fs.details.owner.omeName=$text and fs.id in (select s.image.fileset.id
			from WellSample s join s.well w join w.plate p join p.screenLinks l where l.parent.id=$number)`), inScreen},
		{newPattern(`select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where fs.id > $number
			and fs.details.owner.omeName=$text and not exists (select i.id from Image i where i.fileset.id=fs.id)`), unfinished},
		{newPattern("select i.fileset.id, i.id from Image i where i.fileset.id in ($numbers)"), imagesOf},
		{newPattern("select distinct s.image.fileset.id, s.well.plate.id from WellSample s where s.image.fileset.id in ($numbers)"), platesOf},
		{newPattern(`select i.id, ann.id, mv.value from Image i join i.annotationLinks al join al.child ann join ann.mapValue mv
			where ann.ns=$text and mv.name=$text and i.id in ($numbers)`), mapValues(server.ImageAnnotationLink)},
		{newPattern(`select p.id, ann.id, mv.value from Plate p join p.annotationLinks al join al.child ann join ann.mapValue mv
			where ann.ns=$text and mv.name=$text and p.id in ($numbers)`), mapValues(server.PlateAnnotationLink)},
		{newPattern(`select i.id, ann.id from Image i join i.annotationLinks al join al.child ann
			where ann.ns=$text and i.id in ($numbers)`), annotations(server.ImageAnnotationLink)},
		{newPattern(`select p.id, ann.id from Plate p join p.annotationLinks al join al.child ann
			where ann.ns=$text and p.id in ($numbers)`), annotations(server.PlateAnnotationLink)},
		{newPattern("select max(f.id), (select max(x.id) from Image x) from Fileset f"), highest},
		{newPattern(`select i.id, i.name from Image i join i.datasetLinks l where l.parent.id=$number and i.id > $number
			and i.fileset is null and i.details.owner.omeName=$text`), registered},
		{newPattern(`select a.id from MapAnnotation a where a.ns=$text and a.description=$text
			and not exists (select l.id from ImageAnnotationLink l where l.child.id=a.id)
			and not exists (select l.id from PlateAnnotationLink l where l.child.id=a.id)`), loose},
		{newPattern("select l.child.id from ProjectDatasetLink l where l.parent.id=$number and l.child.name=$text"), inProject},
	}
	for _, kind := range []string{server.Dataset, server.Screen, server.Project} {
		for _, a := range []string{"d", "s", "p"} { // the alias is up to who asks
			all = append(all,
				question{newPattern("select " + a + ".name, " + a + ".details.owner.omeName, " + a + ".details.group.name, " +
					a + ".details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from " + kind + " " + a +
					" where " + a + ".id=$number"), container(kind)},
				question{newPattern("select " + a + ".id from " + kind + " " + a +
					" where " + a + ".name=$text and " + a + ".details.owner.omeName=$text"), named(kind)})
		}
	}
	return all
}

// mailOf is the address of a user, who may have none.
func mailOf(q Query, v values) []Row {
	u, ok := q.World.UserNamed(v.texts[0])
	if !ok {
		return nil
	}
	return []Row{{cmp.Or(u.Email, Null)}}
}
